from django.apps import AppConfig


class KapConfig(AppConfig):
    name = "practice.kap"
    label = "kap"

    def ready(self) -> None:
        from intake import schedules
        from intake.resigning import DOSED_ON
        from practice import actions, coverage, handover, merging, quiet, staff
        from practice.kap.actions import cover, following, leading, one_person, plans
        from practice.kap.reports import outcomes, series
        from referrals.reports import counted

        actions.LEAVING.append(plans.care_ended)
        handover.HANDING.append(leading.hand_over)
        merging.OBSTACLES.append(one_person.obstacles)
        merging.CHANGED.insert(0, plans.refresh)
        staff.GOING.append(leading.let_go)
        staff.CONCERNED.append(leading.concerned)
        staff.GOES.append(leading.goes)
        quiet.HEARD.append(leading.seen)
        DOSED_ON.append(following.dosed_on)
        schedules.SESSIONS.append(plans.met)
        coverage.AWAY.append(cover.away_until)
        counted.REPORTS["kap"] = series.KIND
        counted.REPORTS["outcomes"] = outcomes.KIND
