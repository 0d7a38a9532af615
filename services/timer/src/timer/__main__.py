"""Runs the timer."""

from chassis.settings import load
from timer.app import create
from timer.settings import Settings

if __name__ == "__main__":
    create(load(Settings)).run()
