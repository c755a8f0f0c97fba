"""From raw orders to named customer segments and a report."""
