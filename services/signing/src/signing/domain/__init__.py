"""What signing alone decides, by subject; pure: time, roster and what is known are handed in."""
