"""What readers wait while values are loaded anew: ahead of their end, behind them, or in their way."""
