"""Text that can be stored and sent anywhere: no NUL (PostgreSQL), no lone surrogate (UTF-8)."""


def clean(text: str) -> str:
    """Return a text without what cannot be stored or sent; pairs of surrogates become one letter."""
    if "\x00" in text:
        text = text.replace("\x00", "")
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    return text


def clean_value(value: object) -> object:
    """Return a JSON value whose texts are clean."""
    match value:
        case str():
            return clean(value)
        case list():
            return [clean_value(item) for item in value]
        case dict():
            return {clean(name): clean_value(item) for name, item in value.items()}
    return value


def ends_half_way(text: str) -> bool:
    """Tell whether the second half of a letter is still to come."""
    return bool(text) and "\ud800" <= text[-1] <= "\udbff"
