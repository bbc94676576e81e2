"""Data forms (XEP-0004) as parts of payloads: what was filled in, and what is asked."""

from typing import TypedDict

from lxml import etree

from pubcellar.analysers.payload import children
from pubcellar.analysers.plain_text import one_line
from pubcellar.analysers.results import MAX_VALUES, present
from pubcellar.core.namespaces import NS_DATA_FORM

FORM = f"{{{NS_DATA_FORM}}}x"

_FORM_TYPE = "FORM_TYPE"
_FIELD = f"{{{NS_DATA_FORM}}}field"
_VALUE = f"{{{NS_DATA_FORM}}}value"
_OPTION = f"{{{NS_DATA_FORM}}}option"
_REQUIRED = f"{{{NS_DATA_FORM}}}required"


class FormQuestion(TypedDict):
    """One field to be filled in; `options` are the values to choose from."""

    var: str | None
    label: str | None
    options: list[str]
    is_required: bool


def answers(form: etree._Element | None) -> dict[str, list[str]]:
    """Return the values of each field that has a name and a value, without FORM_TYPE."""
    filled: dict[str, list[str]] = {}
    for field in children(form, _FIELD, MAX_VALUES):
        var = one_line(field.get("var"))
        values = _texts(children(field, _VALUE, MAX_VALUES))
        if var and var != _FORM_TYPE and values:
            filled[var] = values
    return filled


def questions(form: etree._Element | None) -> list[FormQuestion]:
    """Return the fields of a form that have a name, without FORM_TYPE."""
    asked: list[FormQuestion] = []
    for field in children(form, _FIELD, MAX_VALUES):
        var = one_line(field.get("var"))
        if var is None or var == _FORM_TYPE:
            continue
        options = children(field, _OPTION, MAX_VALUES)
        question: FormQuestion = {
            "var": var,
            "label": one_line(field.get("label")),
            "options": _texts([value for option in options for value in option.findall(_VALUE)]),
            "is_required": field.find(_REQUIRED) is not None,
        }
        asked.append(present(question))
    return asked


def _texts(values: list[etree._Element]) -> list[str]:
    texts = (one_line(value.text) for value in values[:MAX_VALUES])
    return [text for text in texts if text]
