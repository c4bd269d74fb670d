"""The product, with its SQL counted."""

from bench.counting import counted
from practice.wsgi import application as product

application = counted(product)
