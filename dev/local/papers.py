"""A document for tests: a permit with everything that a document can say."""

from datetime import date, datetime
from typing import Final

from contracts.terms import DocumentKind, ItemKind
from department_worker.documents import Facts

FACTS: Final = Facts(
    kind=DocumentKind.DECISION,
    item_kind=ItemKind.PERMIT,
    code="6c0f1f0e-7f57-5a2c-9a53-0a1780201812",
    authority="瓦房店市自然资源局",
    number="瓦自然资许准〔2026〕12号",
    addressee="瓦房店市𠮷㐂䶮𬭎犇建设投资有限公司",
    uscc="91210281MA0XYZ1234",
    project_name="瓦房店市岭东街道综合服务中心",
    project_code="2026-210281-47-01-000123",
    item_name="建设用地规划许可证核发",
    applied=date(2026, 3, 1),
    accepted=date(2026, 3, 2),
    dated=date(2026, 3, 17),
    opinion="一、容积率不大于1.2。\n二、请按规划条件组织设计。",
    limit_days=10,
    deferred=("勘察报告（2026年4月1日前）",),
    received=datetime(2026, 3, 1, 10, 5),
    items=("建设用地规划许可证核发",),
    materials=("营业执照", "土地证明"),
    digests=("9f" * 32, "8e" * 32),
    place="瓦房店市工程建设项目审批综合窗口",
    review_authority="瓦房店市人民政府",
    verify_url="https://verify.example/verify?document=6c0f1f0e-7f57-5a2c-9a53-0a1780201812",
)
