"""The benchmark's frame: what it measures is its own business, that it says what it measured is tested here."""
