"""Runs supervision."""

from chassis.settings import load
from supervision.app import create
from supervision.settings import Settings

if __name__ == "__main__":
    create(load(Settings)).run()
