"""Chaos Toolkit's `http` provider, asked natively: same request, same shape of response, no thread."""

from __future__ import annotations

import json
import ssl
from typing import Any

import aiohttp
import requests
import yarl
from chaoslib import substitute
from requests.structures import CaseInsensitiveDict
from requests.utils import DEFAULT_CA_BUNDLE_PATH, get_encoding_from_headers

from drillmark.observe.answer import Answer, of_os_error
from drillmark.observe.tolerance import http_is_good


class HttpProbe:
    """One request over a fresh connection each time.

    Fresh, as chaoslib's own is: it meets a listener that died, a name that moved and a load balancer's choice as a
    new user would, where a kept connection could go on being answered by a server that nobody else can reach.
    """

    def __init__(
        self,
        name: str,
        activity: dict[str, Any],
        configuration: dict[str, Any],
        secrets: dict[str, Any],
        session: aiohttp.ClientSession,
    ) -> None:
        self.name = name
        self._activity = activity
        self._configuration = configuration
        self._secrets = secrets
        self._session = session
        provider: dict[str, Any] = activity["provider"]
        prepared = prepare(provider, configuration, secrets)
        self._method = str(prepared.method)
        # The library has made an Authorization header of credentials within the URL.
        self._url = yarl.URL(str(prepared.url), encoded=True).with_user(None)
        self._headers = {str(key): str(value) for key, value in prepared.headers.items() if key != "Connection"}
        body: Any = prepared.body
        self._body = body.encode() if isinstance(body, str) else body
        self._timeout = _timeout(substitute(provider.get("timeout"), configuration, secrets))
        self._tls = tls(provider.get("verify_tls", True))

    async def ask(self) -> Answer:
        """Request once, body and all."""
        try:
            async with self._session.request(
                self._method,
                self._url,
                headers=self._headers,
                data=self._body,
                ssl=self._tls,
                timeout=self._timeout,
            ) as response:
                return self._judge(response, await response.read())
        except (aiohttp.ClientError, OSError) as error:
            return _of_error(error)

    async def close(self) -> None:
        """The session is shared and closed by its owner."""

    def _judge(self, response: aiohttp.ClientResponse, content: bytes) -> Answer:
        headers = {str(key): str(value) for key, value in response.headers.items()}
        try:
            body = body_of(headers, content)
        except ValueError:  # declared as JSON and is none: chaoslib fails the activity
            return Answer(ok=False, detail="not json")
        shaped = {"status": response.status, "headers": headers, "body": body}
        return Answer(*http_is_good(self._activity, shaped, self._configuration, self._secrets))


def _of_error(error: aiohttp.ClientError | OSError) -> Answer:
    words: list[tuple[type[Exception], str]] = [
        (TimeoutError, "timeout"),
        (aiohttp.ClientConnectorDNSError, "dns"),
        (aiohttp.ClientSSLError, "tls"),
        (aiohttp.ServerDisconnectedError, "closed"),
        (aiohttp.ClientPayloadError, "cut"),
    ]
    for kind, word in words:
        if isinstance(error, kind):
            return Answer(ok=False, detail=word)
    if isinstance(error, OSError):
        return of_os_error(error)
    return Answer(ok=False, detail=type(error).__name__)


def prepare(
    provider: dict[str, Any], configuration: dict[str, Any], secrets: dict[str, Any]
) -> requests.PreparedRequest:
    """What chaoslib would have sent: the same library prepares it."""
    method = str(provider.get("method", "GET")).upper()
    headers: Any = substitute(provider.get("headers"), configuration, secrets)
    arguments: Any = substitute(provider.get("arguments"), configuration, secrets)
    request = requests.Request(method, str(substitute(provider["url"], configuration, secrets)), headers=headers)
    if method == "GET":
        request.params = arguments or {}
    elif headers and headers.get("Content-Type") == "application/json":
        request.json = arguments
    else:
        request.data = arguments or []
    with requests.Session() as session:
        session.headers["User-Agent"] = "drillmark-prober"
        return session.prepare_request(request)


def _timeout(value: Any) -> aiohttp.ClientTimeout:
    # The beat's own time-out is held outside; this is the activity's, which may be shorter.
    if isinstance(value, list | tuple):
        connect, read = (*value, None, None)[:2]
        return aiohttp.ClientTimeout(total=None, sock_connect=_seconds(connect), sock_read=_seconds(read))
    return aiohttp.ClientTimeout(total=_seconds(value))


def _seconds(value: Any) -> float | None:
    return None if value is None else float(value)


def tls(verify: Any) -> ssl.SSLContext | bool:
    """How certificates are checked; False: not at all."""
    if verify is False:
        return False
    return ssl.create_default_context(cafile=verify if isinstance(verify, str) else DEFAULT_CA_BUNDLE_PATH)


def body_of(headers: dict[str, str], content: bytes) -> Any:
    """An answer's body as chaoslib has it. Raises ValueError: declared as JSON, and is none."""
    # As chaoslib does it: JSON only under that very content type, else text as requests reads it.
    known = CaseInsensitiveDict(headers)
    if known.get("Content-Type") == "application/json":
        return json.loads(content)
    try:
        return content.decode(get_encoding_from_headers(known) or "utf-8", "replace")
    except LookupError:
        return content.decode("utf-8", "replace")
