"""Pages of a list as docs/protocol.md promises them where the service does not page itself.

Written from XEP-0059 and that page, and from nothing of the proxy's own.
"""

from dataclasses import replace

from differential.answers import ANY_TEXT, Answer, Failure, PageFacts

NO_SUCH_ITEM = Answer(Failure("cancel", "item-not-found", None, ANY_TEXT))
BAD_REQUEST = Answer(Failure("modify", "bad-request", None, ANY_TEXT))


def page_of(
    whole: Answer,
    *,
    max: str | None = None,
    after: str | None = None,
    before: str | None = None,
    index: str | None = None,
) -> Answer:
    """Return the page of that list which these values of a `<set/>` ask for.

    Tokens are the list's own; an empty `before` is the last page. An error stays what it is.
    """
    numbers = [number for number in (max, index) if number is not None]
    if not all(number.isdecimal() for number in numbers):
        return BAD_REQUEST
    if whole.failure is not None:
        return whole
    tokens = list(whole.tokens)
    if any(token and token not in tokens for token in (after, before)) or after == "":
        return NO_SUCH_ITEM
    start, stop = 0, len(tokens)
    if after is not None:
        start = tokens.index(after) + 1
    elif before is not None:
        stop = tokens.index(before) if before else stop
    elif index is not None:
        start = min(int(index), stop)
    if max is not None and before is not None:
        start = stop - min(int(max), stop)
    elif max is not None:
        stop = min(start + int(max), stop)
    return _part(whole, start, stop)


def _part(whole: Answer, start: int, stop: int) -> Answer:
    tokens = whole.tokens[start:stop]
    page = PageFacts(len(whole.tokens))
    if tokens:
        page = PageFacts(len(whole.tokens), start, tokens[0], tokens[-1])
    return replace(whole, elements=whole.elements[start:stop], tokens=tokens, page=page)
