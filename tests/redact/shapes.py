"""Shapes that a secret comes in, in a text."""

from __future__ import annotations

SHAPES = (
    "Bearer CANARY-7f3a",
    "Authorization: Basic Q0FOQVJZOmI=",
    "password=CANARY-7f3a",
    "token: CANARY-7f3a",
    '{"secret": "CANARY-7f3a"}',
    "redis://:CANARY-7f3a@host/0",
    "eyJhbGciOiJIUzI1NiJ9.CANARY-7f3a.x",
    "-----BEGIN PRIVATE KEY-----\nCANARY-7f3a",
    "AKIACANARYCANARYCANA",
    "ghp_CANARY-7f3aCANARY",
    "glpat-CANARY-7f3a-xx",
    "sk-CANARY-7f3aCANARY-7f3a",
    "sk_live_CANARY7f3a",
    "AIzaCANARY-7f3aCANARY-7f3aCA",
    "xoxb-CANARY-7f3a",
    "<pwd>CANARY-7f3a</pwd>",
    "4111111111111111",
    "4111 1111 1111 1111",
    "4111-1111-1111-1111",
    "your code 123456",
    "code=123456",
    "mysql --password CANARY-7f3a",
    "pin:1234",
    "123456 is your code",
    "验证码123456",
    "password%3DCANARY-7f3a",
    "密码：CANARY-7f3a",
)
