"""Writes over several models of referrals, a file for each kind of act."""
