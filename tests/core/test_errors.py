import inspect

import pytest

from pubcellar.core import errors

ABSTRACT = [
    errors.ProxyError,
    errors.RequestError,
    errors.UpstreamError,
    errors.StorageError,
]


@pytest.mark.parametrize("abstract", ABSTRACT)
def test_an_abstract_error_cannot_be_made(abstract: type[errors.ProxyError]) -> None:
    with pytest.raises(TypeError, match=f"{abstract.__name__} is abstract"):
        raise abstract("x")


def test_every_error_with_subclasses_is_abstract() -> None:
    classes = [value for value in vars(errors).values() if inspect.isclass(value)]
    answered = [each for each in classes if issubclass(each, errors.ProxyError)]
    parents = {each for each in answered if each.__subclasses__()}
    assert parents == set(ABSTRACT)


@pytest.mark.parametrize("abstract", ABSTRACT[1:])
def test_every_fault_has_errors_that_can_be_raised(abstract: type[errors.ProxyError]) -> None:
    for error in abstract.__subclasses__():
        arguments = ("cancel", "gone") if error is errors.UpstreamRefused else ("text",)
        with pytest.raises(abstract):
            raise error(*arguments)


def test_a_refusal_carries_what_the_service_said() -> None:
    refused = errors.UpstreamRefused(
        "auth", "forbidden", application_conditions=("closed-node",), text="no", error_xml="<e/>"
    )
    assert str(refused) == "auth/forbidden"
    assert (refused.error_type, refused.condition) == ("auth", "forbidden")
    assert refused.application_conditions == ("closed-node",)
    assert (refused.text, refused.error_xml) == ("no", "<e/>")


def test_an_outage_may_carry_the_error_that_said_so() -> None:
    refused = errors.UpstreamRefused("wait", "remote-server-timeout")
    assert errors.UpstreamUnreachable("away", refused).refusal is refused
    assert errors.UpstreamUnreachable("away").refusal is None


def test_an_analyser_s_error_names_it_and_is_no_answer_to_a_request() -> None:
    error = errors.AnalyserError("blog", "took too long")
    assert str(error) == "analyser 'blog': took too long"
    assert (error.analyser, error.problem) == ("blog", "took too long")
    assert not isinstance(error, errors.ProxyError)


def test_a_configuration_error_lists_every_problem() -> None:
    error = errors.ConfigError("pubcellar.toml", ("one", "two"))
    assert str(error).splitlines() == ["pubcellar.toml: 2 problem(s)", "one", "two"]
    assert (error.source, error.problems) == ("pubcellar.toml", ("one", "two"))
    assert not isinstance(error, errors.ProxyError)
