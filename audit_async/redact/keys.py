"""Which keys are a secret's: the built-in list, and what makes two spellings of a key alike.

A built-in name matches the end of a key: `token` matches `X-Refresh-Token`, not `token_id`. Case, separators, accents,
width and a number at the end do not count. `pass` is one only alone, or behind a word for whose: `db_pass`, but not
`boarding_pass`. A `session_id` in two words is none, since an event has a field of that name, by which its reader joins
the log to others; in one word (`sessionid`) it is the name of a cookie, and goes.

Source: the deny list of sentry-sdk's scrubber, without the addresses that an audit log is there to keep; the secrets
of OAuth, OIDC, SAML, of payment cards, and of WeCom, Feishu and DingTalk.
"""

from __future__ import annotations

import re
import unicodedata

from audit_async.config import MAX_NAME_CHARS

_SEPARATORS = re.compile(r"[\W_]+")
_WORD_STARTS = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
_NUMBERS = "0123456789"


def words_of(key: str) -> list[str]:
    """Return the words of *key*, folded: `clientSecret`, `CLIENT-SECRET` and `client.secret` have the same two."""
    spelled = "".join(each for each in unicodedata.normalize("NFKD", key) if not unicodedata.combining(each))
    return [word for word in _SEPARATORS.split(_WORD_STARTS.sub(" ", spelled).casefold()) if word]


def bare(key: str) -> str:
    """Return *key* as one folded word."""
    return _SEPARATORS.sub("", unicodedata.normalize("NFKD", key)).casefold()


def ends_like(words: list[str], names: frozenset[str]) -> bool:
    """Return whether the last words make one of *names*, which are bare: `user_iban` ends like `iban`, `caliban` not.

    A number at the end does not count.
    """
    without_number = [*words[:-1], words[-1].rstrip(_NUMBERS)] if words else []
    return any("".join(some[start:]) in names for some in (words, without_number) for start in range(len(some)))


_ENDINGS = (
    *("password", "passwords", "passwd", "pwd", "passphrase", "passcode", "passwordhash", "passwordsalt"),
    *("secret", "secrets", "secretkey", "token", "apikey", "apikeys", "privatekey", "privatekeys", "accesskey"),
    *("aeskey", "signingkey", "encryptionkey", "masterkey", "sharedkey", "hmackey", "sshkey", "sessionkey"),
    *("authorization", "authorizationheader", "authheader", "basicauth", "proxyauth", "cookie", "cookies"),
    *("credential", "credentials", "connectionstring", "dsn", "jwt"),
    *("otp", "mfacode", "smscode", "verificationcode", "authcode", "authorizationcode", "onetimecode"),
    *("recoverycode", "recoverycodes", "backupcode", "backupcodes", "securityanswer", "secretanswer"),
    *("seedphrase", "recoveryphrase", "mnemonicphrase", "totpseed", "otpauth", "codeverifier", "csrf", "xsrf"),
    *("passwordconfirmation", "passwordconfirm", "passwordold", "passwordnew", "secretvalue", "secretkeybase", "creds"),
    *("accountkey", "recoverykey", "unsealkey", "encryptkey", "permanentcode", "otpcode", "totpcode", "verifycode"),
    *("samlresponse", "samlassertion", "clientassertion"),
    *("cardnumber", "creditcard", "debitcard", "cvv", "cvc", "securitycode"),
    *("suiteticket", "appticket", "jsapiticket"),
    *("passwort", "kennwort", "contrasena", "motdepasse", "senha", "пароль"),
    *(
        "密码",
        "密碼",
        "口令",
        "密钥",
        "密鑰",
        "令牌",
        "密码确认",
        "验证码",
        "驗證碼",
        "校验码",
        "パスワード",
        "비밀번호",
    ),
)
_WHOLE = frozenset({"auth", "phpsessid", "jsessionid", "connectsid", "sessionid", "sid", "bearer", "pass"})
_SESSION_ID = ["session", "id"]
_OWNERS = (
    *("user", "db", "database", "admin", "root", "my", "new", "old", "login", "auth", "proxy"),
    *("smtp", "mail", "email", "ftp", "http", "mysql", "postgres", "pg", "redis", "mongo"),
)
_LAST_WORDS = frozenset({"pin", *(f"{owner}pass" for owner in _OWNERS)})
_COUNTED = ("tokens",)
_FOLDED_ENDINGS = tuple(bare(ending) for ending in _ENDINGS) + _COUNTED
_ID_ENDINGS = ("id", "ids")


def is_secret_key(key: str) -> bool:
    """Return whether the built-in list has *key*."""
    whole, words = bare(key).rstrip(_NUMBERS), words_of(key)
    if whole in _WHOLE:
        return words[:2] != _SESSION_ID
    return whole.endswith(_FOLDED_ENDINGS) or ends_like(words, _LAST_WORDS)


def is_counted(key: str) -> bool:
    """Return whether a number under *key* is one of tokens (`input_tokens: 12`): usage, and no secret."""
    return bare(key).endswith(_COUNTED)


def is_id(key: str) -> bool:
    """Return whether *key* is an id's, whose digits are never a card's."""
    return bare(key).rstrip(_NUMBERS).endswith(_ID_ENDINGS)


_IDENTITIES = frozenset(
    {
        *("by", "to", "from", "for", "of", "name", "username", "login", "account", "email", "mail", "sub", "uid"),
        *("user", "users", "actor", "actors", "owner", "owners", "member", "members", "author", "assignee", "subject"),
        *("approver", "creator", "reviewer", "recipient", "recipients", "sender", "caller", "principal"),
        *("uuid", "guid"),
    }
)
_OTHER_IDS = frozenset(
    {"tenantid", "organizationid", "organisationid", "orgid", "sessionid", "requestid", "traceid", "spanid"}
)


def is_identity_key(key: str) -> bool:
    """Return whether under *key* may stand who somebody is: `target_user_id`, `granted_by`, `transferred_to`.

    An id of any kind may, but for those that the event has fields of its own for, which are no person's.
    """
    words = words_of(key)
    return ends_like(words, _IDENTITIES) or (is_id(key) and not ends_like(words, _OTHER_IDS))


_ADDRESSES = frozenset(
    {
        *("ip", "ips", "ipaddress", "ipaddresses", "ipaddr", "ipv4", "ipv6", "remoteaddr", "remoteaddress"),
        *("clientaddr", "clientaddress", "peeraddr", "peeraddress", "forwardedfor", "remotehost", "clienthost"),
    }
)


def is_address_key(key: str) -> bool:
    """Return whether under *key* stands an address in the internet: `client_ip`, `X-Forwarded-For`."""
    return ends_like(words_of(key), _ADDRESSES)


_BODIES = frozenset(
    {
        *("body", "payload", "content", "contents", "text", "html", "data", "raw"),
        *("message", "messages", "prompt", "prompts", "completion", "completions", "transcript", "history"),
        *("input", "inputs", "output", "outputs", "response", "reply", "answer", "question", "query"),
        *("arguments", "args", "params", "parameters", "result", "results", "summary", "chunk", "chunks"),
    }
)


def is_body_key(key: str) -> bool:
    """Return whether under *key* stands what somebody wrote or got: `request_body`, `prompt`, `messages`."""
    return ends_like(words_of(key), _BODIES)


def is_claims_key(key: str) -> bool:
    """Return whether under *key* stands an OIDC token, perhaps as its claims."""
    return bare(key).rstrip(_NUMBERS).endswith("idtoken")


_PAIRS = frozenset({"header", "headers", "cookie", "cookies", "param", "params", "credentials"})


def is_key_of_pairs(key: str) -> bool:
    """Return whether under *key* a list of two is a name and its value: `headers`, `query_params`."""
    return ends_like(words_of(key), _PAIRS)


def looks_like_name(item: object) -> bool:
    """Return whether *item*, beside the name of a key, looks like one more: a short word of letters and underscores.

    That is what `["password", "username"]` and `["password", "swordfish"]` have in common, of which nobody can tell
    which is which. What has a digit (`hunter2`), a blank or any other sign looks like a value.
    """
    if type(item) is not str or len(item) > MAX_NAME_CHARS:
        return False
    return item.isidentifier() and not any(char.isdigit() for char in item)
