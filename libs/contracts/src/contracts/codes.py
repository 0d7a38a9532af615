"""Typed codes: what a bare string would hide is refused here, once, with a sentence that a person can act on.

A code is a `str`, so JSON, Kafka keys and SQL take it as it is; only a valid one can be made.
"""

import re
from collections.abc import Collection
from typing import Any, ClassVar, Self

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, core_schema

PILOT_ZONES = {
    "210213-JP": "210213",
    "210213-BS": "210213",
    "210211-GX": "210211",
    "210281-CXD": "210281",
    "210283-HYK": "210283",
}
"""Pilot zone → host division: bodies of the city without a national code (GB/T 2260 names only the host)."""

DIVISIONS = (
    "210200",
    "210202",
    "210203",
    "210204",
    "210211",
    "210212",
    "210213",
    "210214",
    "210224",
    "210281",
    "210283",
)
CITY = "210200"
HISTORICAL_DIVISIONS = ("210282",)
"""Division codes that only an old project code may still carry (普兰店市 until 2016)."""


CODES_REMEMBERED = 100_000


class _Met(dict[str, "Code"]):
    """The valid codes of one class met before: a code is checked once, not in every message, and looked up without a
    line of Python."""

    def __init__(self, kind: "type[Code]") -> None:
        super().__init__()
        self._kind = kind

    def __missing__(self, text: str) -> "Code":
        kind = self._kind
        if not re.fullmatch(kind.PATTERN, text) or not kind.check(text):
            raise ValueError(kind.COMPLAINT)
        if len(self) >= CODES_REMEMBERED:
            self.clear()
        made = self[text] = str.__new__(kind, text)
        return made


class Code(str):
    """A string that is valid by construction; `PATTERN` is its JSON Schema, `check` what a pattern cannot say."""

    __slots__ = ()
    PATTERN: ClassVar[str]
    COMPLAINT: ClassVar[str]
    _met: ClassVar[_Met]

    def __init_subclass__(cls) -> None:
        cls._met = _Met(cls)

    def __new__(cls, text: str) -> Self:
        """Return the code. Raises ValueError, in Chinese, when `text` is not one."""
        return cls._met[text]  # pyright: ignore[reportReturnType]

    @classmethod
    def met(cls) -> Collection[str]:
        """The codes of this class that are remembered."""
        return cls._met

    @classmethod
    def check(cls, text: str) -> bool:
        return True

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_after_validator_function(cls._met.__getitem__, core_schema.str_schema(max_length=64))

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        return {"type": "string", "pattern": f"^(?:{cls.PATTERN})$"}


def _known_division(code: str) -> bool:
    return code in DIVISIONS or code in HISTORICAL_DIVISIONS


def _month(text: str) -> bool:
    return text.isdecimal() and 1 <= int(text) <= 12


class ProjectCode(Code):
    """项目代码, 24 characters, in both shapes: `2018-210281-47-03-000123` (to 2020) and `2603-210281-04-01-12345X`."""

    __slots__ = ()
    PATTERN = r"[0-9]{4}-[0-9]{6}-[0-9]{2}-[0-9]{2}-[0-9]{5}[0-9A-Z]"
    COMPLAINT = "项目代码格式不正确，应为 24 位，如 2018-210281-47-03-000123，且区划代码属大连市"

    @classmethod
    def check(cls, text: str) -> bool:
        year_old = 2000 <= int(text[:4]) <= 2020 and text[-1].isdecimal()
        year_new = 20 <= int(text[:2]) <= 99 and _month(text[2:4])
        return (year_old or year_new) and re.fullmatch(r"[0-9]{6}", text[5:11]) is not None

    @property
    def division(self) -> str:
        """The six-digit administrative division that the code names."""
        return self[5:11]

    @property
    def inside_dalian(self) -> bool:
        """Whether the division belongs to Dalian (Art. 2)."""
        return _known_division(self.division)


class JurisdictionCode(Code):
    """属地: a division of Dalian by GB/T 2260 or a pilot zone (先导区) as host code plus suffix."""

    __slots__ = ()
    PATTERN = r"[0-9]{6}(-[A-Z]{2,3})?"
    COMPLAINT = "属地代码不存在，应为大连市的区划代码或先导区代码，如 210281、210281-CXD"

    @classmethod
    def check(cls, text: str) -> bool:
        return text in DIVISIONS or text in PILOT_ZONES

    @property
    def host(self) -> "JurisdictionCode":
        """The division that hosts a pilot zone; itself for a division."""
        return JurisdictionCode(PILOT_ZONES.get(self, self))


_USCC_ALPHABET = "0123456789ABCDEFGHJKLMNPQRTUWXY"
_USCC_VALUE = {character: value for value, character in enumerate(_USCC_ALPHABET)}


class CreditCode(Code):
    """统一社会信用代码 by GB 32100: 18 characters, the last one a check character with weights 3^(i-1) mod 31."""

    __slots__ = ()
    PATTERN = r"[0-9A-HJ-NPQRTUWXY]{2}[0-9]{6}[0-9A-HJ-NPQRTUWXY]{10}"
    COMPLAINT = "统一社会信用代码不正确（应为 18 位且校验码相符，GB 32100）"

    @classmethod
    def check(cls, text: str) -> bool:
        total = sum(_USCC_VALUE[character] * pow(3, place, 31) for place, character in enumerate(text[:17]))
        return _USCC_ALPHABET[(31 - total % 31) % 31] == text[17]


class DepartmentCode(Code):
    """审批部门, as in the catalogue: `GHJ`, `JW`, …"""

    __slots__ = ()
    PATTERN = r"[A-Z]{2,8}"
    COMPLAINT = "部门代码不正确，应为 2 至 8 位大写字母，如 GHJ"


class ItemCode(Code):
    """审批事项, as in the catalogue: `S1-05` is the fifth item of stage 1, `U-01` a utility."""

    __slots__ = ()
    PATTERN = r"(S[1-4]|U)-[0-9]{2}"
    COMPLAINT = "事项代码不正确，应如 S1-05"


class MaterialCode(Code):
    """申报材料, as in the catalogue: `M01` … `M99`."""

    __slots__ = ()
    PATTERN = r"M[0-9]{2}"
    COMPLAINT = "材料代码不正确，应如 M01"


class Sha256(Code):
    """A SHA-256 digest in lower-case hexadecimal: the address of a material and what a seal covers."""

    __slots__ = ()
    PATTERN = r"[0-9a-f]{64}"
    COMPLAINT = "摘要不正确，应为 64 位小写十六进制 SHA-256"
