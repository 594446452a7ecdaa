"""What stands between this machine and the hub: which setting of the environment is at fault when nothing arrives."""

import os
import ssl
from importlib.util import find_spec
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

UNREACHABLE = "the hub cannot be reached"

OFFLINE_VARIABLE = "PATCHFIELD_OFFLINE"
"""Environment variable that keeps Patchfield from asking any network, where it is set to something."""

_PROXY_SCHEMES = ("http", "https", "socks5", "socks5h")
_CERTIFICATES = ("SSL_CERT_FILE", "SSL_CERT_DIR")


def chosen_offline() -> str:
    """That nothing is to be downloaded, in words, where :data:`OFFLINE_VARIABLE` says so; else empty."""
    chosen = os.environ.get(OFFLINE_VARIABLE)
    return f"nothing is downloaded while offline (see the settings, or {OFFLINE_VARIABLE})" if chosen else ""


def unusable_setting(url: str) -> str:
    """What is wrong with the environment before anything is sent, in words; empty when nothing is.

    Parameters
    ----------
    url : str
        What is to be fetched.

    Examples
    --------
    >>> unusable_setting("http://host:port/file")
    "the hub cannot be reached: its address 'http://host:port' is not one (see HF_ENDPOINT)"
    """
    if not _is_address(url, ("http", "https")):
        return _endpoint_words(url.rpartition("/")[0] or url)
    for kind, address in getproxies().items():
        if kind in ("http", "https", "all"):
            problem = _proxy_problem(address)
            if problem:
                return f"{UNREACHABLE}: {_named(kind)} is set to '{_without_password(address)}', {problem}"
    for variable in _CERTIFICATES:
        where = os.environ.get(variable)
        if where and not os.path.exists(where):
            return f"{UNREACHABLE}: {variable} is set to '{where}', which does not exist"
    return ""


def unusable_endpoint() -> str:
    """What is wrong with ``HF_ENDPOINT``, in words; empty when nothing is.

    The hub's client reads it when it is imported, and cannot be imported where it is no address.
    """
    endpoint = os.environ.get("HF_ENDPOINT")
    return "" if not endpoint or _is_address(endpoint) else _endpoint_words(endpoint)


def reason(error: BaseException, url: str) -> str:
    """Why a transfer failed, with the name of the environment variable that has to do with it.

    Parameters
    ----------
    error : BaseException
        Of the HTTP library; what it was raised from is looked at, too.
    url : str
        What was fetched.
    """
    for cause in _causes(error):
        if isinstance(cause, ssl.SSLError):
            return f"{UNREACHABLE}: {_certificate_words(cause)}"
    proxy = _proxy_of(url)
    if proxy is None:
        return UNREACHABLE
    kind, address = proxy
    return f"{UNREACHABLE} through the proxy that {_named(kind)} names ('{_without_password(address)}')"


def _endpoint_words(address: str) -> str:
    return f"{UNREACHABLE}: its address '{address}' is not one (see HF_ENDPOINT)"


def _certificate_words(error: ssl.SSLError) -> str:
    variable = next((name for name in _CERTIFICATES if os.environ.get(name)), None)
    what = getattr(error, "verify_message", "") or getattr(error, "reason", "") or "no secure connection"
    if variable is None:
        return f"its certificate is not trusted ({what}); if your network has its own, set SSL_CERT_FILE to it"
    return f"its certificate is not among those in {variable}='{os.environ[variable]}' ({what})"


def _proxy_problem(address: str) -> str:
    """What keeps a proxy's address from being used."""
    address = address if "://" in address else f"http://{address}"
    scheme = urlsplit(address).scheme if _is_address(address) else ""
    if scheme == "socks":
        return "which is read as no protocol: write socks5:// (and pip install socksio), or unset it"
    if scheme not in _PROXY_SCHEMES:
        return "which is not the address of a proxy: write http://HOST:PORT, or unset it"
    if scheme.startswith("socks") and find_spec("socksio") is None:
        return "and SOCKS proxies need one more package: pip install socksio, or unset it"
    return ""


def _is_address(url: str, schemes: tuple[str, ...] | None = None) -> bool:
    try:
        parts = urlsplit(url)
        return bool(parts.hostname) and (parts.port or 0) >= 0 and (schemes is None or parts.scheme in schemes)
    except ValueError:
        return False


def _proxy_of(url: str) -> tuple[str, str] | None:
    """Kind and address of the proxy that `url` is fetched through."""
    parts, proxies = urlsplit(url), getproxies()
    if parts.hostname is None or proxy_bypass(parts.hostname):
        return None
    return next(((kind, proxies[kind]) for kind in (parts.scheme, "all") if proxies.get(kind)), None)


def _named(kind: str) -> str:
    """The variable that holds the proxy of that kind; lower case wins where both are set."""
    for variable in (f"{kind}_proxy", f"{kind.upper()}_PROXY"):
        if os.environ.get(variable):
            return variable
    return f"the system's {kind} proxy"


def _without_password(address: str) -> str:
    before, separator, host = address.rpartition("@")
    if not separator:
        return address
    scheme = f"{before.partition('://')[0]}://" if "://" in before else ""
    return f"{scheme}...@{host}"


def _causes(error: BaseException) -> list[BaseException]:
    found = []
    cause: BaseException | None = error
    while cause is not None and cause not in found:
        found.append(cause)
        cause = cause.__cause__ or cause.__context__
    return found
