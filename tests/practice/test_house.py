"""The crispy template pack: words tied to their controls, nothing raw, nothing inline."""

import re
from datetime import date
from xml.etree import ElementTree

import pytest
from crispy_forms.helper import FormHelper
from crispy_forms.layout import Div, Fieldset, Layout, Submit
from django import forms
from django.template import engines
from django.utils.safestring import mark_safe

RAW = mark_safe('<img src="x" onerror="alert(1)">')
ANSWERS = [(0, "Not at all"), (1, "Several days"), (2, RAW)]


class BirthDate(forms.MultiWidget):
    def __init__(self) -> None:
        boxes = (("month", "Month"), ("day", "Day"), ("year", "Year"))
        super().__init__(
            {
                key: forms.TextInput({"label": label, "autocomplete": f"bday-{key}", "inputmode": "numeric"})
                for key, label in boxes
            }
        )

    def decompress(self, value: date | None) -> list[int | None]:
        return [value.month, value.day, value.year] if value else [None, None, None]


class BirthDateField(forms.MultiValueField):
    widget = BirthDate

    def compress(self, data_list: list[str]) -> str:
        return "-".join(data_list)


class Every(forms.Form):
    item = forms.TypedChoiceField(
        label=RAW,
        help_text=RAW,
        choices=ANSWERS,
        widget=forms.RadioSelect,
        error_messages={"required": "Choose the answer that fits best, or skip the question"},
    )
    ways = forms.MultipleChoiceField(choices=[("t", "Text"), ("c", "Call")], widget=forms.CheckboxSelectMultiple)
    agree = forms.BooleanField(label="I agree", help_text="You can change this later")
    born = BirthDateField(fields=[forms.CharField()] * 3, help_text="For example, 3 8 1992")
    name = forms.CharField(help_text="The name you use", widget=forms.TextInput({"autocomplete": "given-name"}))
    times = forms.IntegerField(widget=forms.NumberInput({"inputmode": "numeric"}))
    state = forms.ChoiceField(choices=[("", "Choose"), ("a", "A")])
    note = forms.CharField(required=False, widget=forms.Textarea({"rows": 3, "class": "wide"}))
    token = forms.CharField(widget=forms.HiddenInput)


def render(form: forms.Form | forms.BaseFormSet, helper: FormHelper | None = None) -> str:
    page = engines["django"].from_string("{% load crispy_forms_tags %}{% crispy form helper %}")
    return str(
        page.render({"form": form, "helper": FormHelper() if helper is None else helper, "csrf_token": "a" * 64})
    )


def tags(html: str, pattern: str) -> list[str]:
    return re.findall(rf"<(?:{pattern})\b[^>]*>", html)


def ids(html: str) -> list[str]:
    return re.findall(r'\sid="([^"]+)"', html)


@pytest.mark.parametrize("data", [None, {}, {"item": "7", "ways": "x", "times": "many"}], ids=["new", "empty", "wrong"])
def test_every_reference_resolves_and_no_id_is_used_twice(data: dict[str, str] | None) -> None:
    html = render(Every(data))
    assert sorted(set(ids(html))) == sorted(ids(html))
    described = {i for value in re.findall(r'aria-describedby="([^"]+)"', html) for i in value.split()}
    labelled = set(re.findall(r'\sfor="([^"]+)"', html)) | set(re.findall(r'href="#([^"]+)"', html))
    assert (described | labelled) - set(ids(html)) == set()


def test_every_control_has_a_label() -> None:
    html = render(Every())
    controls = {
        re.findall(r'\sid="([^"]+)"', tag)[0]
        for tag in tags(html, "input|select|textarea")
        if 'type="hidden"' not in tag
    }
    assert controls - set(re.findall(r'<label[^>]*\sfor="([^"]+)"', html)) == set()
    assert len(controls) == 3 + 2 + 1 + 3 + 4


def test_words_marked_safe_are_escaped_all_the_same() -> None:
    html = render(Every({}))
    assert "<img" not in html
    assert html.count("&lt;img") == 3  # label, hint, choice


def test_error_stands_in_the_summary_and_at_the_field_and_links_to_the_first_control() -> None:
    html = render(Every({}))
    words = "Choose the answer that fits best, or skip the question"
    assert html.count(words) == 2
    links = re.findall(r'<a href="#([^"]+)">', html)
    assert links == ["id_item_0", "id_ways_0", "id_agree", "id_born_0", "id_name", "id_times", "id_state"]
    assert html.index('class="err-summary"') < html.index("<fieldset")
    first = next(tag for tag in tags(html, "fieldset"))
    assert 'aria-describedby="id_item_helptext id_item_error"' in first


def test_hint_and_error_come_before_the_control() -> None:
    html = render(Every({}))
    assert html.index("id_name_helptext") < html.index('id="id_name_error"') < html.index('id="id_name"')


def test_wrong_controls_say_so_and_right_ones_do_not() -> None:
    html = render(Every({"name": "Sam", "token": "x"}))
    invalid = {
        re.findall(r'\sname="([^"]+)"', tag)[0]
        for tag in tags(html, "input|select|textarea")
        if 'aria-invalid="true"' in tag
    }
    assert invalid == {"item", "ways", "agree", "born_month", "born_day", "born_year", "times", "state"}


def test_date_is_three_labelled_boxes_with_their_tokens() -> None:
    html = render(Every(initial={"born": date(1992, 3, 8)}))
    boxes = [tag for tag in tags(html, "input") if "born" in tag]
    assert [re.findall(r'autocomplete="([^"]+)"', tag)[0] for tag in boxes] == ["bday-month", "bday-day", "bday-year"]
    assert [re.findall(r'value="([^"]+)"', tag)[0] for tag in boxes] == ["3", "8", "1992"]
    assert re.findall(r'<label for="id_born_\d">(\w+)', html) == ["Month", "Day", "Year"]


def test_optional_is_said_and_required_has_no_star() -> None:
    html = render(Every())
    assert html.count("(optional)") == 1
    assert "*" not in html
    quiet = FormHelper()
    quiet.all_optional = True
    assert "(optional)" not in render(Every(), quiet)


def test_autocomplete_class_and_shape_reach_the_control() -> None:
    html = render(Every())
    assert 'class="input"' in next(tag for tag in tags(html, "input") if 'name="name"' in tag)
    assert 'autocomplete="given-name"' in next(tag for tag in tags(html, "input") if 'name="name"' in tag)
    assert 'class="textarea wide"' in tags(html, "textarea")[0]
    assert 'class="select"' in tags(html, "select")[0]


def test_form_leaves_the_checking_to_the_server_and_carries_its_key() -> None:
    html = render(Every())
    opening = tags(html, "form")[0]
    assert opening.endswith(" novalidate>")
    assert 'method="post"' in opening
    assert html.count('name="csrfmiddlewaretoken"') == html.count('name="form_key"') == 1


def test_form_that_finds_things_carries_no_key() -> None:
    helper = FormHelper()
    helper.form_method = "get"
    assert "csrf" not in render(Every(), helper)


def test_question_is_the_heading_of_the_page() -> None:
    helper = FormHelper()
    helper.layout = Layout("name", "note")
    helper.legend_h1, helper.legend_stem = "name", "Over the last 2 weeks:"
    html = render(Every(), helper)
    assert re.findall(r"<h1.*?</h1>", html) == [
        '<h1 class="c-h"><label for="id_name"><span class="c-stem">Over the last 2 weeks:</span> Name</label></h1>'
    ]
    helper.layout = Layout("ways")
    helper.legend_h1 = True
    assert re.search(r"<legend>\s*<h1 ", render(Every(), helper))


def test_summary_is_left_to_the_page_when_it_asks() -> None:
    helper = FormHelper()
    helper.form_show_errors = False
    html = render(Every({}), helper)
    assert ("err-summary" in html, 'id="id_item_error"' in html) == (False, True)


def test_layout_and_buttons_use_the_house_markup() -> None:
    helper = FormHelper()
    helper.layout = Layout(Div(Fieldset("About you", "name"), css_class="card"))
    helper.add_input(Submit("go", "Continue", css_class="btn-l", aria_describedby="saved"))
    html = render(Every(), helper)
    assert '<div class="card"><fieldset><legend class="label">About you</legend>' in html
    assert tags(html, "button") == [
        '<button class="btn btn-l" type="submit" id="submit-id-go" name="go" value="1" aria-describedby="saved">'
    ]


def test_rows_of_a_formset_are_numbered_and_keep_their_ids_apart() -> None:
    rows = forms.formset_factory(Every, extra=2)
    helper = FormHelper()
    helper.row_label = "Medicine"
    html = render(rows(), helper)
    assert re.findall(r'Medicine <span class="num">(\d)', html) == ["1", "2"]
    assert sorted(set(ids(html))) == sorted(ids(html))
    assert html.count('name="form-TOTAL_FORMS"') == html.count('name="form_key"') == 1


def test_errors_of_a_formset_link_to_their_row() -> None:
    rows = forms.formset_factory(Every, extra=1)
    html = render(rows({"form-TOTAL_FORMS": "1", "form-INITIAL_FORMS": "0", "form-0-name": "Sam"}))
    assert "#id_form-0-item_0" in html
    described = {i for value in re.findall(r'aria-describedby="([^"]+)"', html) for i in value.split()}
    assert described - set(ids(html)) == set()


def test_nothing_inline_and_well_formed() -> None:
    html = render(Every({}))
    assert re.findall(r"<[^>]*\s(?:style|on\w+)=|<script", html) == []
    body = re.sub(r"\s(required|checked|selected|novalidate)(?=[\s>])", r' \1=""', html)
    body = re.sub(r"(<(?:input|img|br)\b[^>]*[^/])>", r"\1/>", body)
    ElementTree.fromstring(body)
