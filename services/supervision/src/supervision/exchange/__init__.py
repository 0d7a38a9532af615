"""工程建设项目审批管理系统数据共享交换标准 (Art. 3): what happens on the platform, as the rows that go upwards.

Tables, columns and codes are the standard's own, so a provincial engineer needs no manual. Every row follows from one
event and from what was reported of the same item before; ids and times come from the events, so a replay makes the same
bytes. A row that breaks a check is kept with its cause (`SJSCZT` -1, `SBYY`), never dropped.
"""

from supervision.exchange.flows import of_catalogue
from supervision.exchange.items import Flow, of_step
from supervision.exchange.projects import of_application
from supervision.exchange.tables import COLUMNS, Told

__all__ = ["COLUMNS", "Flow", "Told", "of_application", "of_catalogue", "of_step"]
