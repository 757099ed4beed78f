"""Every key figure with what it means: the words that go out with the numbers. docs/reference/service/kpis.md has the
same."""

from domain.kpi import Kpi
from domain.kpi_of_quality import QUALITY_KPIS
from domain.kpi_of_service import SERVICE_KPIS

KPIS: tuple[Kpi, ...] = SERVICE_KPIS + QUALITY_KPIS
KPI_BY_KEY = {kpi.key: kpi for kpi in KPIS}
