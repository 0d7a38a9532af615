"""Runs intake."""

from chassis.settings import load
from intake.app import create
from intake.settings import Settings

if __name__ == "__main__":
    create(load(Settings)).run()
