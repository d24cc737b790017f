"""What a secret may be called, and what it may hold. Pure functions."""

from __future__ import annotations

import re

from nb2prod.errors import SecretInvalid

MAX_BYTES = 32_768
# What is shorter, or all alike, stands in any output by chance, and could not be taken out.
MIN_CHARACTERS = 6
MIN_DIFFERENT = 4

NAME = re.compile(r"[A-Z][A-Z0-9_]{0,63}\Z")
# Variables by which a process is led to run, load, trust or ask something else. A pipeline's code
# is reviewed and versioned; a secret must not be a way around that.
_RESERVED = frozenset(
    {
        *("ALL_PROXY", "BASH_ENV", "CDPATH", "CLASSPATH", "ENV", "FTP_PROXY", "GLIBC_TUNABLES"),
        *("HOME", "HOSTALIASES", "HTTPS_PROXY", "HTTP_PROXY", "IFS", "JAVA_TOOL_OPTIONS", "LANG"),
        *("LANGUAGE", "LOCPATH", "LOGNAME", "NLSPATH", "NODE_OPTIONS", "NODE_PATH", "NO_PROXY"),
        *("OLDPWD", "PATH", "PROMPT_COMMAND", "PS4", "PWD", "RES_OPTIONS", "SHELL", "SHELLOPTS"),
        *("TERM", "TMPDIR", "TZ", "USER", "VIRTUAL_ENV"),
        *("AWS_CA_BUNDLE", "CURL_CA_BUNDLE", "REQUESTS_CA_BUNDLE", "OPENSSL_CONF"),
        *("OPENSSL_MODULES", "OPENSSL_ENGINES"),
    }
)
_RESERVED_BEGINNINGS = (
    *("BASH_FUNC_", "CONDA_", "CUDA_", "DYLD_", "GCONV_", "GIT_", "IPYTHON", "JULIA_", "JUPYTER"),
    *("LC_", "LD_", "MALLOC_", "MLFLOW_", "MPL", "NB2PROD_", "NVIDIA_", "PERL", "PIP_", "PYTHON"),
    *("RUBY", "R_", "SSL_CERT_", "UV_", "XDG_"),
)


def check_name(name: str) -> str:
    """Return the name if a secret may have it; else raise `SecretInvalid`.

    >>> check_name("DB_PASSWORD")
    'DB_PASSWORD'
    """
    if not NAME.match(name):
        raise SecretInvalid(
            f"{name[:80]!r} is no name of a secret: use 1 to 64 of A–Z, 0–9 and _, beginning with a"
            " letter, such as DB_PASSWORD."
        )
    if name in _RESERVED or name.startswith(_RESERVED_BEGINNINGS):
        raise SecretInvalid(
            f"No secret can be called {name}: the variable of that name decides how programs run."
            " Choose another name, such as DB_PASSWORD."
        )
    return name


def check_value(name: str, value: str) -> bytes:
    """Return a value as it is kept if it can be one; else raise `SecretInvalid`.

    No message repeats any of the value.
    """
    try:
        content = value.encode()
    except UnicodeEncodeError:
        raise SecretInvalid(
            f"The value of {name} is no text: it has halves of characters. Set it in base64."
        ) from None
    if b"\0" in content:
        raise SecretInvalid(
            f"The value of {name} holds a NUL character, which no environment variable can. Set it"
            " in base64."
        )
    if len(content) > MAX_BYTES:
        raise SecretInvalid(
            f"The value of {name} has {len(content)} bytes; a secret has {MAX_BYTES} at most."
        )
    if len(value.strip()) < MIN_CHARACTERS or len(set(value)) < MIN_DIFFERENT:
        raise SecretInvalid(
            f"The value of {name} is too short to be kept out of what runs put out: a secret has"
            f" {MIN_CHARACTERS} characters at least, {MIN_DIFFERENT} of them different."
        )
    return content
