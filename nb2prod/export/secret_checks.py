"""Texts that look like secrets, in sources and outputs, by Yelp's detect-secrets.

Its detectors know the tokens of many services by their look, and, in sources, texts that are
assigned to something named as a password. Its detectors of high entropy are not asked, since data
in notebooks looks so. Nothing is sent anywhere to find out whether a secret is good. A finding
never holds the secret itself.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import cache
from typing import TYPE_CHECKING, Any

from nb2prod.export.findings import finding
from nb2prod.export.models import Finding
from nb2prod.notebook.models import Notebook

if TYPE_CHECKING:
    from detect_secrets.plugins.base import BasePlugin

# Module and class in `detect_secrets.plugins`; the class' `secret_type` is what people are told.
_DETECTORS = (
    ("aws", "AWSKeyDetector"),
    ("azure_storage_key", "AzureStorageKeyDetector"),
    ("basic_auth", "BasicAuthDetector"),
    ("discord", "DiscordBotTokenDetector"),
    ("github_token", "GitHubTokenDetector"),
    ("gitlab_token", "GitLabTokenDetector"),
    ("jwt", "JwtTokenDetector"),
    ("mailchimp", "MailchimpDetector"),
    ("npm", "NpmDetector"),
    ("openai", "OpenAIDetector"),
    ("private_key", "PrivateKeyDetector"),
    ("pypi_token", "PypiTokenDetector"),
    ("sendgrid", "SendGridDetector"),
    ("slack", "SlackDetector"),
    ("square_oauth", "SquareOAuthDetector"),
    ("stripe", "StripeDetector"),
    ("telegram_token", "TelegramBotTokenDetector"),
    ("twilio", "TwilioKeyDetector"),
)
# What no detector of detect-secrets 1.5 knows: our own tokens, and tokens that came after it.
_FURTHER = (
    ("nb2prod token", re.compile(r"\bnb2p_[A-Za-z0-9_-]{32,}")),
    ("Google API key", re.compile(r"\bAIza[A-Za-z0-9_-]{35}(?![A-Za-z0-9_-])")),
    ("Hugging Face token", re.compile(r"\bhf_[A-Za-z]{34}\b")),
    ("OpenAI or Anthropic token", re.compile(r"\bsk-(?:ant|proj|svcacct)-[A-Za-z0-9_-]{40,}")),
    ("GitHub token", re.compile(r"\bgithub_pat_[A-Za-z0-9_]{50,}")),
)
# What is said of a text that is assigned to something named as a password or a key.
_PASSWORD = "password or key"  # noqa: S105 (a word to people)
# Longer texts of an output are looked at to here: plots carry whole libraries of JavaScript.
MAX_CHARACTERS = 100_000

_KEYWORD = re.compile(r"api_?key|auth_?key|token|passw|pwd|secret|_key\b|db_?pass", re.IGNORECASE)
# Words that stand in the place of a secret, in examples and forms.
_PLACEHOLDER = re.compile(
    r"x{3,}|\*{3,}|\.{3}|…|your|my_?|enter|insert|change|example|sample|dummy|fake|test|todo|none"
    r"|null|secret|passw|token|key|user|name|here|placeholder|redacted|hidden|admin|guest|root"
    r"|[<>{}$\s(]|https?:|/|%s",
    re.IGNORECASE,
)


def secrets_in_sources(notebook: Notebook) -> Iterator[Finding]:
    """Find what looks like a secret in any cell's text, markdown and left-out cells too."""
    # All at once: no token has a line's end, and each detector costs more than its reading.
    places = [
        (cell, line) for cell in notebook.cells for line in range(1, cell.source.count("\n") + 2)
    ]
    text = "\n".join(cell.source for cell in notebook.cells)
    found = dict(_passwords(text))
    found.update(_found_in(text))
    for row, kind in sorted(found.items()):
        cell, line = places[row - 1]
        if cell.kind == "code" or kind != _PASSWORD:
            message = f"The line has a text that looks like a secret ({kind})."
            yield finding("secret-in-source", message, cell=cell.number, line=line)


def secrets_in_outputs(notebook: Notebook) -> Iterator[Finding]:
    """Find what looks like a secret in the texts of outputs; pictures are not looked into."""
    for cell in notebook.code_cells:
        kinds = {
            kind
            for output in cell.outputs
            for text in _texts(output)
            for _, kind in _found_in(text[:MAX_CHARACTERS])
        }
        if kinds:
            message = f"An output has a text that looks like a secret ({', '.join(sorted(kinds))})."
            yield finding("secret-in-output", message, cell=cell.number)


def _found_in(text: str) -> Iterator[tuple[int, str]]:
    """Yield line and kind of what looks like a service's token."""
    if len(text) < 8:
        return
    for detector in _detectors():
        for secret in detector.analyze_string(text):
            if secret and not _is_harmless(detector.secret_type, secret, text):
                yield _line_of(text, secret), detector.secret_type
    for kind, pattern in _FURTHER:
        for match in pattern.finditer(text):
            yield text.count("\n", 0, match.start()) + 1, kind


def _is_harmless(kind: str, secret: str, text: str) -> bool:
    # An address' password is often one of a documentation's. A service's token is hardly ever
    # written for fun, but for the one in all of Amazon's own examples.
    if kind == "Basic Auth Credentials":
        return bool(_PLACEHOLDER.search(secret))
    # Addresses that Amazon has signed name the key, not its secret; downloads print them.
    return secret.endswith("EXAMPLE") or f"Amz-Credential={secret}" in text


def _passwords(source: str) -> Iterator[tuple[int, str]]:
    """Yield lines on which a text is assigned to something named as a password or a key."""
    if not _KEYWORD.search(source):
        return
    detector = _keyword_detector()
    for number, line in enumerate(source.split("\n"), start=1):
        if _KEYWORD.search(line):
            for secret in detector.analyze_string(line):
                if _is_password(secret):
                    yield number, _PASSWORD


def _is_password(secret: str) -> bool:
    # One word of letters, or of capitals, is a name of something.
    is_word = secret.isalpha() or secret.isdigit() or bool(re.fullmatch(r"[A-Z_]+|[a-z_]+", secret))
    return len(secret) >= 8 and not is_word and not _PLACEHOLDER.search(secret)


def _texts(output: Mapping[str, Any]) -> Iterator[str]:
    if isinstance(output.get("text"), str):
        yield output["text"]
    data = output.get("data")
    for media_type, value in data.items() if isinstance(data, Mapping) else ():
        is_text = media_type.startswith("text/") or media_type.endswith("json")
        if is_text:
            yield value if isinstance(value, str) else str(value)
    traceback = output.get("traceback")
    if isinstance(traceback, list):
        yield "\n".join(map(str, traceback))


def _line_of(text: str, secret: str) -> int:
    place = text.find(secret)
    return text.count("\n", 0, max(place, 0)) + 1


@cache
def _detectors() -> tuple[BasePlugin, ...]:
    from importlib import import_module

    return tuple(
        getattr(import_module(f"detect_secrets.plugins.{module}"), name)()
        for module, name in _DETECTORS
    )


@cache
def _keyword_detector() -> BasePlugin:
    from detect_secrets.plugins.keyword import KeywordDetector

    return KeywordDetector()
