"""Every error of the HTTP interface as RFC 9457: a stable code, a sentence in Chinese, the article where it is law."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import orjson
import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import Response
from pydantic import BaseModel
from starlette.exceptions import HTTPException

from chassis import metrics
from chassis.database import TRANSIENT
from contracts.envelope import ILLEGIBLE, NO_INSTANT
from procedure.refusals import Refusal

TYPE_BASE: Final = "https://lianshen.dalian.example/problems/"
REGULATION: Final = "大政办发〔2018〕178号"

log = structlog.get_logger()


class Problem(BaseModel):
    """RFC 9457 problem details."""

    type: str
    title: str
    status: int
    detail: str
    code: str
    article: str | None = None
    errors: list[dict[str, str]] = []
    choices: list[dict[str, str]] = []


SENTENCES: Final[Mapping[str, str]] = {
    "missing": "缺少必填项",
    "extra_forbidden": "不认识的字段",
    "json_invalid": "不是合法的 JSON",
    "string_type": "应为文字",
    "int_type": "应为整数",
    "int_parsing": "应为整数",
    "float_type": "应为数字",
    "bool_type": "应为 true 或 false",
    "enum": "不在允许的取值之内",
    "uuid_parsing": "不是合法的标识符",
    "uuid_type": "不是合法的标识符",
    "string_too_long": "文字过长",
    "string_too_short": "文字过短",
    "string_pattern_mismatch": "格式不正确",
    "datetime_from_date_parsing": "不是合法的时间",
    "timezone_aware": "时间须带时区",
    "instant": NO_INSTANT,
    "illegible": ILLEGIBLE,
    "string_unicode": ILLEGIBLE,
    "greater_than_equal": "数值过小",
    "less_than_equal": "数值过大",
    "tuple_type": "应为列表",
    "list_type": "应为列表",
    "model_attributes_type": "应为对象",
    "model_type": "应为对象",
}
STATUS_CODES: Final[Mapping[int, tuple[str, str]]] = {
    400: ("BAD_REQUEST", "请求不正确"),
    404: ("NOT_FOUND", "没有找到"),
    405: ("METHOD_NOT_ALLOWED", "不支持这种请求方法"),
    406: ("NOT_ACCEPTABLE", "无法提供所要的格式"),
    408: ("TOO_SLOW", "请求内容发送过慢"),
    413: ("TOO_LARGE", "内容过大"),
    415: ("UNSUPPORTED_MEDIA_TYPE", "不支持这种内容类型，应为 application/json"),
    500: ("INTERNAL_ERROR", "系统内部错误，请稍后再试"),
    503: ("UNAVAILABLE", "系统暂时不可用，请稍后再试"),
}


def answer(
    status: int,
    code: str,
    detail: str,
    article: str | None = None,
    errors: Sequence[Mapping[str, str]] = (),
    choices: Sequence[Mapping[str, str]] = (),
) -> Response:
    """Return a problem as an HTTP response; `choices` is what would be accepted instead, where one can choose."""
    sentence = f"{detail}（{REGULATION}{article}）" if article else detail
    body: dict[str, Any] = {
        "type": f"{TYPE_BASE}{code.lower().replace('_', '-')}",
        "title": detail,
        "status": status,
        "detail": sentence,
        "code": code,
        "article": article,
        "errors": list(errors),
        "choices": list(choices),
    }
    metrics.refused(code)
    headers = {"WWW-Authenticate": "Bearer"} if status == 401 else {}
    return Response(orjson.dumps(body), status, headers, media_type="application/problem+json")


def install(app: FastAPI) -> None:
    """Answer every trouble of `app` with a problem."""
    app.add_exception_handler(Refusal, _refusal)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _http)
    for kind in TRANSIENT:
        app.add_exception_handler(kind, _unavailable)  # pyright: ignore[reportArgumentType]
    app.add_exception_handler(Exception, _unknown)


async def _refusal(request: Request, refusal: Exception) -> Response:
    assert isinstance(refusal, Refusal)
    return answer(refusal.status, refusal.code, refusal.message, refusal.article, choices=refusal.choices)


async def _invalid(request: Request, invalid: Exception) -> Response:
    assert isinstance(invalid, RequestValidationError)
    errors = [_complaint(error) for error in invalid.errors()[:20]]
    if any(error["type"] == "json_invalid" for error in invalid.errors()):
        return answer(400, "MALFORMED_JSON", "请求内容不是合法的 JSON", errors=errors)
    detail = "；".join(f"{error['field']}：{error['reason']}" for error in errors[:3])
    return answer(422, "INVALID_REQUEST", f"请求内容不正确：{detail}", errors=errors)


def _complaint(error: Mapping[str, Any]) -> dict[str, str]:
    kind = str(error["type"])
    own_words = str(error.get("msg", "")).removeprefix("Value error, ")
    reason = own_words if kind == "value_error" else SENTENCES.get(kind, "不正确")
    return {"field": ".".join(map(_legible, error["loc"])), "reason": reason, "code": kind}


def _legible(part: object) -> str:
    return str(part).encode("utf-8", "replace").decode()[:80]


async def _http(request: Request, trouble: Exception) -> Response:
    assert isinstance(trouble, HTTPException)
    code, detail = STATUS_CODES.get(trouble.status_code, ("HTTP_ERROR", "请求无法处理"))
    return answer(trouble.status_code, code, detail)


async def _unavailable(request: Request, trouble: Exception) -> Response:
    log.warning("http.unavailable", path=request.url.path, trouble=repr(trouble))
    return answer(503, *STATUS_CODES[503])


async def _unknown(request: Request, trouble: Exception) -> Response:
    log.error("http.failed", path=request.url.path, trouble=repr(trouble), exc_info=trouble)
    return answer(500, *STATUS_CODES[500])
