"""Numbers that are secrets by themselves: payment cards, and one-time codes beside the word that says so.

Source: ISO/IEC 7812 (check digit, issuers' prefixes), PCI DSS 3.4.
"""

from __future__ import annotations

import re

from audit_async.redact.masks import REDACTED
from audit_async.redact.patterns import lowered, says

_CARD = re.compile(
    r"(?<![\w.])(?:[0-9]{13,19}+"
    r"|(?<!-)[0-9]{4}(?P<a>[ -])[0-9]{4}(?P=a)[0-9]{4}(?P=a)[0-9]{4}(?:(?P=a)[0-9]{3})?"
    r"|(?<!-)[0-9]{4}(?P<b>[ -])[0-9]{6}(?P=b)[0-9]{4,5})(?!\w)"
)
_ISSUERS = re.compile(
    r"4(?:\d{12}|\d{15}|\d{18})"  # Visa
    r"|(?:5[1-5]\d\d|222[1-9]|22[3-9]\d|2[3-6]\d\d|27[01]\d|2720)\d{12}"  # Mastercard
    r"|220[0-4]\d{12}"  # Mir
    r"|3[47]\d{13}"  # American Express
    r"|3(?:0[0-5]|095|[689]\d)\d{11}(?:\d\d)?"  # Diners Club
    r"|35(?:2[89]|[3-8]\d)\d{12}"  # JCB
    r"|(?:6011|64[4-9]\d|65\d\d)\d{12}(?:\d{3})?"  # Discover
    r"|(?:62|81)\d{14,17}"  # UnionPay
    r"|(?:5018|5020|5038|5893|6304|6759|676[1-3])\d{9,15}"  # Maestro
)
_NO_DIGIT = re.compile(r"\D")
_DOUBLED = (0, 2, 4, 6, 8, 1, 3, 5, 7, 9)

_DIGITS = r"(?P<code>[0-9]{4,8}|[0-9]{3}[ -][0-9]{3,4})"
_GIVEN = r"(?:[ ]{0,3}[:=：＝][ ]{0,3}|[ ]{1,3}(?:is|was)[ ]{1,3})"
_CODE = re.compile(
    r"(?P<head>(?<![^\W_])(?:"
    # Given to the word, or behind it if the word means nothing else, or if another says which code it is.
    rf"(?:code|otp|totp|pin|passcode|tan|2fa|mfa|verification|verify)(?:[ ]+(?:code|number|no))?{_GIVEN}"
    r"|(?:otp|totp|pin|passcode)(?:[ ]+(?:code|number|no))?[ ]{1,3}"
    r"|(?:your|login|log-?in|sign-?in|sms|security|verification|one[ -]time|otp|totp|2fa|mfa|authentication|access"
    r"|recovery|backup|reset)[ -]code(?:[ ]+(?:number|no))?[ ]{1,3}"
    r")(?:[\"']|[A-Z]-)?"
    r"|(?:验证码|驗證碼|校验码|动态码)[ ]{0,3}[:=：＝是为]?[ ]{0,3})"
    rf"{_DIGITS}(?![A-Za-z0-9_]|[.-][0-9]|[ ]+(?:lines?|rows?|records?|items?|files?|bytes?|times?|users?)\b)",
    re.IGNORECASE,
)
_CODE_WORDS = ("code", "otp", "pin", "tan", "2fa", "mfa", "verif")
_OTHER_CODE = re.compile(
    r"(?:status|error|exit|zip|postal|post|http|country|area|return|reason|response|result|product|item|source|line"
    r"|order|promo|promotion|discount|coupon|voucher|referral|booking|tracking|currency|language|colou?r|bar|tax|cost"
    r"|department|account|branch|bank|sort|event|batch|charge|course|project|dialling|station)[ _-]?\Z",
    re.IGNORECASE,
)
_OTHER_CODE_CHARS = 12
_CODE_FIRST = re.compile(
    rf"(?<![\w.-]){_DIGITS}(?P<tail>[ ]+(?:is|as)[ ]+(?:\w{{1,20}}[ ]+){{0,4}}(?:code|otp|pin|passcode)\b)",
    re.IGNORECASE,
)


def is_card(digits: str) -> bool:
    """Return whether *digits* are the number of a payment card: an issuer's prefix and length, and the check digit."""
    if not digits.isascii() or not _ISSUERS.fullmatch(digits):
        return False
    numbers = [int(digit) for digit in reversed(digits)]
    return (sum(numbers[::2]) + sum(_DOUBLED[number] for number in numbers[1::2])) % 10 == 0


def hide_cards(text: str) -> str:
    """Return *text* without the numbers of payment cards, written in one or in groups."""
    return _CARD.sub(_card, text)


def _card(match: re.Match[str]) -> str:
    whole = match[0]
    if is_card(_NO_DIGIT.sub("", whole)):
        return REDACTED
    # Sixteen digits in groups, and three more of something else behind them.
    if match["a"] and len(whole) > 19 and is_card(_NO_DIGIT.sub("", whole[:19])):
        return REDACTED + whole[19:]
    return whole


def hide_codes(text: str) -> str:
    """Return *text* without the digits that stand beside a word for a one-time code."""
    if not says(lowered(text), _CODE_WORDS):
        return text
    text = _CODE.sub(lambda match: match[0] if _is_other(match) else match["head"] + REDACTED, text)
    return _CODE_FIRST.sub(lambda match: REDACTED + match["tail"], text)


def _is_other(match: re.Match[str]) -> bool:
    """Return whether the code is no secret one: `status code 2000`."""
    return bool(_OTHER_CODE.search(match.string, max(0, match.start() - _OTHER_CODE_CHARS), match.start()))
