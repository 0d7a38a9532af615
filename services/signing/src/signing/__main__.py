"""Runs signing."""

from chassis.settings import load
from signing.app import create
from signing.settings import Settings

if __name__ == "__main__":
    create(load(Settings)).run()
