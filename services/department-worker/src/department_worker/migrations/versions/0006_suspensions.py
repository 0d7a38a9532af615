"""Since when certificates did not count (Art. 20): the identity topic is read anew, from its beginning."""

from alembic import op

from chassis.rostered import SUSPENSIONS
from chassis.tables import create

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    create(op, SUSPENSIONS + "DELETE FROM positions WHERE topic = 'approval.identity.v1';")
