/* Says which row of a support page was tapped, beside the link's own work. Without script nothing is lost but this note. */
(function () {
  'use strict';
  var form = document.getElementById('taps');
  if (!form) return;
  var codes = { 'tel:988': 'call_988', 'sms:988': 'text_988', 'tel:911': 'call_911', 'https://988lifeline.org/chat/': 'chat_988' };
  document.addEventListener('click', function (e) {
    var a = e.target.closest && e.target.closest('a.call, a[href^="tel:"], a[href^="sms:"]'), what, body;
    if (!a) return;
    what = codes[a.getAttribute('href').split('?')[0]] || (/^tel:/.test(a.getAttribute('href')) ? 'support_call' : /^sms:/.test(a.getAttribute('href')) ? 'support_text' : '');
    if (!what) return;
    body = new URLSearchParams(new FormData(form));
    body.set('what', what);
    fetch(form.action, { method: 'POST', body: body, credentials: 'same-origin', keepalive: true });
  });
}());
