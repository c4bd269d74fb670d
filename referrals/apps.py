from django.apps import AppConfig


class ReferralsConfig(AppConfig):
    name = "referrals"

    def ready(self) -> None:
        from intake import schedules
        from intake.resigning import DOSED_ON
        from intake.signals import assessment_submitted
        from practice import handover, merging, notices, quiet, staff
        from practice.actions import LEAVING
        from practice.record import DOCUMENTS
        from referrals import release_copies
        from referrals.actions import clocks, courses, delivery, one_person, questions
        from referrals.receivers import keep_helped, on_assessment_submitted
        from referrals.reports import counted, safety, week

        assessment_submitted.connect(on_assessment_submitted, dispatch_uid="referrals.suggest")
        assessment_submitted.connect(keep_helped, dispatch_uid="referrals.helped")
        notices.SETTLED.append(delivery.settled)
        LEAVING.append(clocks.on_leaving)
        handover.HANDING.append(questions.hand_over)
        merging.OBSTACLES.append(one_person.obstacles)
        merging.MOVING.append(one_person.keep_references)
        merging.CHANGED.append(one_person.settle)
        staff.GOING.append(questions.let_go)
        staff.CONCERNED.append(questions.concerned)
        staff.GOES.append(questions.goes)
        quiet.HEARD.append(courses.seen)
        DOSED_ON.append(courses.dosed_on)
        schedules.SESSIONS.append(courses.met)
        DOCUMENTS["referrals.Release"] = release_copies.signed_copy
        counted.REPORTS["safety"] = safety.KIND
        counted.REPORTS["week"] = week.KIND
