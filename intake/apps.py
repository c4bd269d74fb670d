from django.apps import AppConfig


class IntakeConfig(AppConfig):
    name = "intake"

    def ready(self) -> None:
        from intake import copies, drafts, history, measures, one_person, resigning, schedules, trusted
        from intake.actions import begun, home_link, withdraw_all
        from intake.arrivals import handed
        from intake.doors import note_leaving
        from intake.signals import assessment_submitted
        from practice import merging, quiet
        from practice.actions import LEAVING
        from practice.frozen_triggers import FROZEN, Frozen
        from practice.handover import HANDING
        from practice.notices import ENDED, HOME_LINK
        from practice.pages import LEAVES
        from practice.record import DOCUMENTS, SAID, Said
        from practice.retention import PURGES

        FROZEN.append(Frozen("intake.PacketVersion"))
        FROZEN.append(
            Frozen("intake.AgreementText", since="published_at", free=("edition", "changed_at", "changed_by"))
        )
        LEAVES.append(note_leaving)
        HOME_LINK.append(home_link)
        ENDED.append(trusted.ended)
        DOCUMENTS["intake.Signature"] = copies.agreement_copy
        SAID["intake.Answer"] = Said(("question_words", "answer_words"), copies.in_words, "intake__invitation")
        LEAVING.extend([schedules.end_all, measures.stop, withdraw_all])
        measures.FOLLOWING.append(schedules.follow)
        HANDING.append(handed)
        quiet.HEARD.append(begun)
        PURGES.append(drafts.forget)
        merging.OBSTACLES.append(one_person.obstacles)
        merging.CHANGED.append(history.recount)
        assessment_submitted.connect(measures.on_submitted, dispatch_uid="intake.measures")
        assessment_submitted.connect(resigning.on_submitted, dispatch_uid="intake.resigning")
