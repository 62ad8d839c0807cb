"""The bodies of requests. That of a solve is made from the table of options, as the command line is."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError, create_model
from starlette.datastructures import FormData, QueryParams

from mmlock.core.arguments import AUTO, SolveArguments
from mmlock.core.errors import UsageError
from mmlock.core.remote import api_name, remote_options
from mmlock.core.solve_option import OptionKind, SolveOption
from mmlock.core.stated import NoFiles, stated

__all__ = [
    "BuildBody",
    "DoctorBody",
    "InspectBody",
    "SolveBody",
    "ValidateBody",
    "WhyNotBody",
    "of_form",
    "parsed",
    "solve_request",
]

_MOST_VALUES = 200
_LONGEST = 2_000

Text = Annotated[str, StringConstraints(max_length=_LONGEST)]


def _field(option: SolveOption) -> tuple[Any, Any]:
    about = f"{option.help} ({option.metavar})" if option.metavar else option.help
    if option.kind is OptionKind.FLAG:
        return bool, Field(default=False, description=about)
    if option.repeatable:
        return list[Text], Field(default_factory=list, max_length=_MOST_VALUES, description=about)
    return Text | None, Field(default=None, description=about)


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


_FIELDS: dict[str, Any] = {api_name(option): _field(option) for option in remote_options()}
_FIELDS["preferences"] = (
    dict[Text, Text],
    Field(
        default_factory=dict,
        max_length=2 * _MOST_VALUES,
        description="Versions of an existing lock, kept where the request still allows them.",
    ),
)
SolveBody = create_model(
    "SolveRequest",
    __base__=_Strict,
    __doc__="An environment to decide, in the words of `mmlock.toml`.",
    **_FIELDS,
)


class WhyNotBody(_Strict):
    """A requirement, and the target on which it is doubted."""

    requirement: Text
    request: SolveBody = Field(description="The target, as in a solve.")  # type: ignore[valid-type]


class DoctorBody(_Strict):
    """The text of what failed."""

    text: str = Field(max_length=1_500_000, min_length=1)
    gpus: list[Text] = Field(default_factory=list, max_length=16)


class BuildBody(_Strict):
    """A lock to seal: one that this service solved, one of its catalogue, or its files."""

    job: Text | None = Field(default=None, description="The key of the job that solved or built it.")
    lock: Text | None = Field(default=None, description="`STACK/TARGET` of the catalogue.")
    files: dict[Text, str] | None = Field(
        default=None, max_length=20, description="The texts of the lock folder, by file names."
    )
    label: str | None = Field(
        default=None,
        pattern=r"^[a-z][a-z0-9:_.-]{0,39}$",
        description="What a worker must have, such as `gpu:sm_90` or `cuda-toolkit`.",
    )


class ValidateBody(BuildBody):
    """A sealed lock to validate, named as for a build."""

    device: str = Field(
        default="auto", pattern="^(auto|cpu|cuda)$", description="Where its kernels run: as the lock says."
    )


class InspectBody(_Strict):
    """A wheel to look at."""

    thing: Text = Field(
        min_length=1, description="The URL of a wheel, `PACKAGE==VERSION`, or a torch symbol."
    )
    torch: list[Text] = Field(default_factory=list, max_length=16)
    gpus: list[Text] = Field(default_factory=list, max_length=16)
    python: Text | None = None


def parsed(model: type[BaseModel], body: bytes) -> Any:
    """A body as its model says. Raises UsageError with every fault."""
    try:
        return model.model_validate_json(body or b"{}")
    except ValidationError as error:
        faults = error.errors(include_url=False, include_input=False, include_context=False)
        causes = [f"{_place(fault['loc'])}: {fault['msg']}" for fault in faults[:20]]
        if more := len(faults) - len(causes):
            causes.append(f"and {more} more")
        raise UsageError(
            "the body of the request is not what it should be",
            causes=causes,
            hints=["GET /api/v1/openapi.json describes it"],
        ) from error


def _place(parts: tuple[int | str, ...]) -> str:
    text = "".join(f"[{part}]" if isinstance(part, int) else f".{part[:60]}" for part in parts)
    return text.removeprefix(".") or "the body"


def solve_request(body: Any) -> SolveArguments:
    """The request of a body, checked. Raises UsageError with every fault."""
    from msgspec.structs import replace

    from mmlock.core.names import normalize

    values = {option.id: getattr(body, api_name(option)) for option in remote_options()}
    if any(word.strip().lower() == AUTO for gpu in values["gpus"] for word in gpu.split(",")):
        raise UsageError(
            "`auto` means the GPUs of this machine, which is the server's",
            hints=[
                "name the device, for example `rtx5090`; `mmlock --server URL solve --gpu auto` does that"
            ],
        )
    arguments = stated({name: value for name, value in values.items() if value}, NoFiles())
    preferences = tuple(sorted((normalize(name), text) for name, text in body.preferences.items()))
    return replace(arguments.checked(), preferences=preferences)


def of_form(form: FormData | QueryParams) -> dict[str, Any]:
    """The body that a form of a page means: one line or comma for each of several values."""
    body: dict[str, Any] = {}
    for option in remote_options():
        name = api_name(option)
        texts = [text for text in form.getlist(name) if isinstance(text, str) and text.strip()]
        if not texts:
            continue
        if option.kind is OptionKind.FLAG:
            body[name] = True
        elif option.repeatable:
            split = (part for text in texts for part in text.replace("\r", "\n").split("\n"))
            body[name] = [part.strip() for part in split if part.strip()]
        else:
            body[name] = texts[0].strip()
    return body


def schema_of(model: type[BaseModel]) -> Mapping[str, Any]:
    """The JSON schema of a body, its parts among the components."""
    return model.model_json_schema(ref_template="#/components/schemas/{model}")
