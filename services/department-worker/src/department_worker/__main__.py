"""Runs the department worker."""

from chassis.settings import load
from department_worker.app import create
from department_worker.settings import Settings

if __name__ == "__main__":
    create(load(Settings)).run()
