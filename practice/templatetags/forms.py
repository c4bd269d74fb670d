"""{% form_key %}: what every POST form carries."""

import secrets

from django import template
from django.utils.html import format_html
from django.utils.safestring import SafeString

register = template.Library()


@register.simple_tag(takes_context=True)
def form_key(context: template.Context) -> SafeString:
    """The CSRF token and the key by which the same form, sent twice, is taken once."""
    token = context.get("csrf_token", "")
    return format_html(
        '<input type="hidden" name="csrfmiddlewaretoken" value="{}"><input type="hidden" name="form_key" value="{}">',
        token,
        secrets.token_urlsafe(24),
    )
