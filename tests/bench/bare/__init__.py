"""The least that Flask can do: the yardstick F."""
