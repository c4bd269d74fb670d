"""Writes over several models of KAP, a file for each kind of act."""
