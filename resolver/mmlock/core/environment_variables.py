"""The one table of environment variables that mmlock reads: the reference page is made from it.

A test reads the package and fails for a variable that is read and is not in the table.
"""

from __future__ import annotations

from msgspec import Struct

from mmlock.core.names import StrEnum

__all__ = ["VARIABLES", "EnvironmentVariable", "Purpose", "Reader", "variable"]


class Purpose(StrEnum):
    """What a variable is about: a heading of the reference page."""

    MMLOCK = "mmlock itself"
    FORGE = "Forges: mmlock update"
    INDEX = "Package indexes"
    NETWORK = "Network and logins"
    FOLDER = "Folders of the user"
    ENVIRONMENT = "The active environment"
    BUILD = "Builds"


class Reader(StrEnum):
    """Who reads a variable."""

    MMLOCK = "mmlock"
    HTTPX = "httpx"  # the HTTP client
    UV = "uv"  # it gets the variable as it is
    BUILD = "build"  # the processes of a build get the variable as it is


class EnvironmentVariable(Struct, frozen=True, kw_only=True):
    """A variable, or with a final `*` all variables that start so."""

    name: str
    purpose: Purpose
    meaning: str
    """One sentence for a person; Markdown."""
    reader: Reader = Reader.MMLOCK

    def covers(self, name: str) -> bool:
        """Whether this row is about a variable of that name."""
        if self.name.endswith("*"):
            return name.startswith(self.name[:-1])
        return name == self.name


def _row(name: str, purpose: Purpose, meaning: str, reader: Reader = Reader.MMLOCK) -> EnvironmentVariable:
    return EnvironmentVariable(name=name, purpose=purpose, meaning=meaning, reader=reader)


_FORGE = (
    _row("MMLOCK_FORGE_TOKEN", Purpose.FORGE, "The token for any forge; it has precedence."),
    _row("GITHUB_TOKEN", Purpose.FORGE, "The token for GitHub; GitHub's own workflows set it when asked to."),
    _row("GH_TOKEN", Purpose.FORGE, "The token for GitHub, where `GITHUB_TOKEN` is not set."),
    _row("MMLOCK_GITHUB_APP_ID", Purpose.FORGE, "The number of a GitHub App, whose token is used then."),
    _row("MMLOCK_GITHUB_APP_KEY", Purpose.FORGE, "The private key of that app: the text of its `.pem` file."),
    _row("GITHUB_API_URL", Purpose.FORGE, "Where GitHub's API is; GitHub's own workflows set it."),
    _row("GITEA_TOKEN", Purpose.FORGE, "The token for Gitea."),
    _row("FORGEJO_TOKEN", Purpose.FORGE, "The token for Forgejo."),
    _row("GITLAB_TOKEN", Purpose.FORGE, "The token for GitLab."),
    _row("MMLOCK_GIT_USER", Purpose.FORGE, "Set by mmlock for git alone: who pushes."),
    _row("MMLOCK_GIT_TOKEN", Purpose.FORGE, "Set by mmlock for git alone: read by its credential helper."),
)

_OWN = (
    _row("MMLOCK_CACHE_DIR", Purpose.MMLOCK, "The cache folder, instead of the platform's usual place."),
    _row(
        "MMLOCK_CACHE_TTL",
        Purpose.MMLOCK,
        "Seconds for which an answer that rests on an index counts as fresh; default 600.",
    ),
    _row(
        "MMLOCK_BUILD",
        Purpose.MMLOCK,
        "Set by mmlock in the processes of a build, so that it can end those that a stopped build left.",
    ),
    _row("MMLOCK_DEBUG", Purpose.MMLOCK, "Print the traceback of an internal error. Empty or `0`: do not."),
    _row("MMLOCK_MATRICES", Purpose.MMLOCK, "The folder of the facts, where `--matrices` does not name one."),
    _row(
        "MMLOCK_STATE_DIR",
        Purpose.MMLOCK,
        "The folder for what cannot be downloaded again: your signing key and the locks that you accepted.",
    ),
    _row("MMLOCK_UV", Purpose.MMLOCK, "The uv to run, instead of the one that is installed with mmlock."),
    _row(
        "MMLOCK_WHEELHOUSE",
        Purpose.MMLOCK,
        "The folder of the wheels that were built; default: `wheelhouse` in the cache folder.",
    ),
    _row("MMLOCK_SERVER", Purpose.MMLOCK, "The service to ask, where `--server` does not name one."),
    _row("MMLOCK_TOKEN", Purpose.MMLOCK, "The token for requests to a service."),
    _row("MMLOCK_SERVE_*", Purpose.MMLOCK, "A setting of `mmlock serve`: `MMLOCK_SERVE_PORT` is `port`."),
    _row("_MMLOCK_COMPLETE", Purpose.MMLOCK, "Set by shell completion: print the completion script."),
)

_INDEX = (
    _row("UV_DEFAULT_INDEX", Purpose.INDEX, "The main package index, where `--index-url` names none."),
    _row("UV_INDEX_URL", Purpose.INDEX, "As `UV_DEFAULT_INDEX`, which comes first."),
    _row("UV_INDEX", Purpose.INDEX, "More indexes, separated by spaces. They come before the main one."),
    _row("UV_EXTRA_INDEX_URL", Purpose.INDEX, "As `UV_INDEX`; both count."),
    _row("UV_FIND_LINKS", Purpose.INDEX, "Folders or pages with wheels, separated by commas."),
    _row("UV_INDEX_STRATEGY", Purpose.INDEX, "What uv does when several indexes have a package."),
    _row(
        "UV_INDEX_*",
        Purpose.INDEX,
        "`UV_INDEX_NAME_USERNAME` and `UV_INDEX_NAME_PASSWORD`: the login of the `--index` NAME.",
        Reader.UV,
    ),
    _row("PIP_INDEX_URL", Purpose.INDEX, "The main index, if neither an option nor a `UV_*` variable says."),
    _row("PIP_EXTRA_INDEX_URL", Purpose.INDEX, "More indexes, in the same form."),
    _row(
        "PIP_CONFIG_FILE",
        Purpose.INDEX,
        "The pip configuration from which `matrix refresh` takes `index-url` last; default: pip's own files.",
    ),
)

_NETWORK = (
    _row("NETRC", Purpose.NETWORK, "The file with logins by host; default `~/.netrc`."),
    _row("SSL_CERT_FILE", Purpose.NETWORK, "A bundle of certificates to trust."),
    _row("SSL_CERT_DIR", Purpose.NETWORK, "A folder of certificates to trust."),
    _row("PIP_CERT", Purpose.NETWORK, "As `SSL_CERT_FILE`, which comes first."),
    _row("HTTP_PROXY", Purpose.NETWORK, "The proxy for http.", Reader.HTTPX),
    _row("HTTPS_PROXY", Purpose.NETWORK, "The proxy for https.", Reader.HTTPX),
    _row("ALL_PROXY", Purpose.NETWORK, "The proxy for everything else.", Reader.HTTPX),
    _row("NO_PROXY", Purpose.NETWORK, "Hosts that are reached without a proxy.", Reader.HTTPX),
    _row("UV_CACHE_DIR", Purpose.NETWORK, "uv's own cache.", Reader.UV),
    _row("UV_KEYRING_PROVIDER", Purpose.NETWORK, "Where uv looks for logins.", Reader.UV),
    _row("UV_CREDENTIALS_DIR", Purpose.NETWORK, "Where uv keeps logins.", Reader.UV),
    _row("UV_HTTP_*", Purpose.NETWORK, "uv's timeouts and retries.", Reader.UV),
    _row("UV_REQUEST_TIMEOUT", Purpose.NETWORK, "As `UV_HTTP_TIMEOUT`.", Reader.UV),
    _row("UV_SYSTEM_CERTS", Purpose.NETWORK, "uv trusts the system's certificates.", Reader.UV),
    _row("UV_NATIVE_TLS", Purpose.NETWORK, "As `UV_SYSTEM_CERTS`.", Reader.UV),
    _row("UV_INSECURE_HOST", Purpose.NETWORK, "Hosts whose certificates uv does not check.", Reader.UV),
    _row("UV_CONCURRENT_*", Purpose.NETWORK, "How much uv does at once.", Reader.UV),
    _row("UV_LINK_MODE", Purpose.NETWORK, "How uv puts files into an environment.", Reader.UV),
)

_FOLDER = (
    _row("HOME", Purpose.FOLDER, "The home folder: below it are the usual places of cache and state."),
    _row("USERPROFILE", Purpose.FOLDER, "The home folder on Windows."),
    _row("LOCALAPPDATA", Purpose.FOLDER, "On Windows: the folder with `mmlock\\cache` and `mmlock\\state`."),
    _row("APPDATA", Purpose.FOLDER, "On Windows: the folder of pip's configuration."),
    _row("XDG_CACHE_HOME", Purpose.FOLDER, "The folder with `mmlock`, the cache."),
    _row("XDG_STATE_HOME", Purpose.FOLDER, "The folder with `mmlock`, the state."),
    _row("XDG_CONFIG_HOME", Purpose.FOLDER, "The folder of pip's configuration."),
)

_ENVIRONMENT = (
    _row("VIRTUAL_ENV", Purpose.ENVIRONMENT, "The environment that `mmlock doctor` examines by default."),
    _row("CONDA_PREFIX", Purpose.ENVIRONMENT, "As `VIRTUAL_ENV`, which comes first."),
    _row(
        "CONDA_DEFAULT_ENV",
        Purpose.ENVIRONMENT,
        "`base`: `mmlock doctor` prefers an environment of the project's own to conda's base.",
    ),
    _row("UV_PROJECT_ENVIRONMENT", Purpose.ENVIRONMENT, "As `VIRTUAL_ENV`, for `mmlock doctor`."),
    _row("PATH", Purpose.ENVIRONMENT, "Where interpreters, compilers, uv and commands are looked for."),
    _row(
        "LD_LIBRARY_PATH",
        Purpose.ENVIRONMENT,
        "Folders in which `mmlock doctor` looks for shared libraries. Builds see it, too.",
    ),
)

_BUILD = (
    _row("CC", Purpose.BUILD, "The C compiler, with `CXX`."),
    _row("CXX", Purpose.BUILD, "The C++ compiler to try first."),
    _row("CUDA_HOME", Purpose.BUILD, "The CUDA toolkit, where a step uses that of the system."),
    _row("CUDA_PATH", Purpose.BUILD, "As `CUDA_HOME`, which comes first."),
    _row(
        "PYENV_ROOT", Purpose.BUILD, "The folder of pyenv, whose interpreters can build; default `~/.pyenv`."
    ),
    _row("CCACHE_*", Purpose.BUILD, "Settings of ccache, which is used where it is installed.", Reader.BUILD),
    _row("LANG", Purpose.BUILD, "The language of the tools.", Reader.BUILD),
    _row("LC_ALL", Purpose.BUILD, "As `LANG`, before it.", Reader.BUILD),
    _row("TZ", Purpose.BUILD, "The time zone.", Reader.BUILD),
    _row("SDKROOT", Purpose.BUILD, "The SDK on macOS.", Reader.BUILD),
    _row("MACOSX_DEPLOYMENT_TARGET", Purpose.BUILD, "The oldest macOS that a wheel is for.", Reader.BUILD),
)

VARIABLES: tuple[EnvironmentVariable, ...] = (
    *_OWN,
    *_FORGE,
    *_INDEX,
    *_NETWORK,
    *_FOLDER,
    *_ENVIRONMENT,
    *_BUILD,
)


def variable(name: str) -> EnvironmentVariable | None:
    """The row about a variable; None: mmlock does not read it."""
    return next((row for row in VARIABLES if row.covers(name)), None)
