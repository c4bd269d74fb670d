/* Small helpers on top of pages that already work without this file. No dependency, no build step. */
(function () {
  'use strict';
  var d = document, w = window, b = d.body;
  function $(s, r) { return (r || d).querySelector(s); }
  function $$(s, r) { return Array.prototype.slice.call((r || d).querySelectorAll(s)); }
  function on(el, name, f) { el.addEventListener(name, f); }

  // Errors: focus lands on the summary, so that people start there.
  var sum = $('.err-summary'); if (sum) sum.focus();

  // Dialogs. The help control is a plain link to the help page; with script it opens in place.
  var sheet = $('#help-sheet');
  on(d, 'click', function (e) {
    var t = e.target, open = t.closest && t.closest('dialog[open]');
    if (!t.closest) return;
    if (sheet && sheet.showModal && t.closest('[data-help]') && !e.ctrlKey && !e.metaKey) { e.preventDefault(); sheet.showModal(); }
    else if (open && (t.closest('[data-close]') || t === open)) open.close();
    $$('details.acct[open]').forEach(function (m) { if (!m.contains(t)) m.open = false; });
  });

  // Leave quickly: the link, or Shift pressed three times within five seconds. The screen is blank at once.
  var leave = $('a[data-leave]'), shifts = [];
  function go(e) { e.preventDefault(); d.documentElement.hidden = true; w.location.replace(leave.href); }
  if (leave) {
    on(leave, 'click', go);
    on(d, 'keyup', function (e) {
      if (e.key !== 'Shift') { shifts = []; return; }
      shifts = shifts.concat(Date.now()).slice(-3);
      if (shifts.length === 3 && shifts[2] - shifts[0] < 5000) go(e);
    });
  }

  // Autosave: post the form when an answer changes, one request at a time, and say plainly whether it worked.
  // 2xx saved; 401, 403, 409, 423 or a redirect: locked, stop; other 4xx: refused, wait for a change; the rest: try again.
  var unsaved = false, active = Date.now();
  $$('form[data-autosave]').forEach(function (f) {
    var note = $('[data-saved]', f) || $('[data-saved]'), timer, first, busy, ended, bad, waiting, stop, last = body();
    function body() { return new URLSearchParams(new FormData(f)).toString(); }
    function say(k) {
      if (!note) return;
      var t = new Date().toLocaleTimeString('en', { hour: 'numeric', minute: '2-digit' }).toLowerCase();
      note.textContent = (note.dataset[k] || '').replace('{t}', t);
      note.closest('.saved').dataset.state = k;
    }
    function plan(ms, keep) {
      var now = Date.now(); first = first || now;
      if (ended || (keep && timer && now - first > 3000)) return;
      clearTimeout(timer); timer = setTimeout(save, ms);
    }
    function save() {
      clearTimeout(timer); timer = first = 0;
      var text = body();
      if (busy || ended || (text === last && !bad)) return;
      busy = true; unsaved = true; say('saving');
      stop = new AbortController();
      var limit = setTimeout(function () { stop.abort(); }, 10000);
      fetch(f.dataset.autosave, { method: 'POST', body: new URLSearchParams(text), credentials: 'same-origin', redirect: 'manual', signal: stop.signal })
        .then(function (r) {
          var s = r.status;
          if (r.ok) { last = text; active = Date.now(); unsaved = bad = false; say('ok'); }
          else if (!s || s === 401 || s === 403 || s === 409 || s === 423) { ended = true; unsaved = bad = false; say('locked'); }
          else if (s < 500 && s !== 408 && s !== 429) { last = text; bad = false; say('no'); }
          else throw s;
        })
        .catch(function () { bad = true; say('bad'); plan(8000); })
        .then(function () {
          clearTimeout(limit); busy = false;
          if (waiting) { ended = true; f.requestSubmit(waiting.form ? waiting : undefined); }
          else if (!bad && body() !== last) plan(0);
        });
    }
    on(f, 'change', function () { plan(250); });
    on(f, 'input', function (e) { if (/^(TEXTAREA|INPUT)$/.test(e.target.tagName) && !/^(radio|checkbox)$/.test(e.target.type)) plan(600, true); });
    // Continue waits for a save that is on its way, so that an older answer cannot arrive after a newer one.
    on(f, 'submit', function (e) {
      clearTimeout(timer); timer = 0;
      if (busy && !ended) { e.preventDefault(); waiting = e.submitter || f; setTimeout(function () { stop.abort(); }, 2500); } else ended = true;
    });
    on(w, 'online', function () { if (bad) save(); });
    on(w, 'pagehide', function () { if (!ended && (timer || bad || busy) && body() !== last) navigator.sendBeacon(f.dataset.autosave, new URLSearchParams(body())); });
  });

  // Idle: a line two minutes before the lock. What was typed comes along to the code, sent to nobody yet.
  var note = $('[data-idle-note]'), locked = b.dataset.lockedUrl, limit = (b.dataset.idle || 900) * 1000, typed;
  on(d, 'input', function (e) { typed = e.target.form; });
  function watch() {
    var idle = Date.now() - active, words = idle < limit - 120000 ? '' : unsaved ? note.dataset.unsaved : note.dataset.idleNote;
    if (note.textContent !== words) { note.textContent = words; note.parentNode.hidden = !words; }
    if (idle < limit) return;
    if (unsaved) { b.classList.add('locked'); return; }
    if (!typed || !b.dataset.keeps) { w.location.replace(locked); return; }
    typed.append(Object.assign(d.createElement('input'), { type: 'hidden', name: 'locking', value: 1 }));
    HTMLFormElement.prototype.submit.call(typed);
  }
  if (note && locked) { setInterval(watch, 5000); on(d, 'visibilitychange', watch); on(w, 'pageshow', watch); }

  // A form is sent once. After 400 ms its button says so; after ten seconds a second press counts again.
  on(d, 'submit', function (e) {
    var f = e.target, btn = e.submitter || $('button:not([type=button])', f), words;
    if (e.defaultPrevented) return;
    if (f.dataset.sent) { e.preventDefault(); return; }
    f.dataset.sent = 1;
    function undo() { delete f.dataset.sent; if (words) { btn.replaceChildren.apply(btn, words); btn.removeAttribute('aria-disabled'); words = 0; } }
    setTimeout(function () {
      if (!btn || !f.dataset.sent || f.method === 'dialog') return;
      words = Array.prototype.slice.call(btn.childNodes); btn.textContent = btn.dataset.busy || b.dataset.busy; btn.setAttribute('aria-disabled', 'true');
    }, 400);
    setTimeout(undo, 10000); on(w, 'pageshow', function (p) { if (p.persisted) undo(); });
  });

  // Filters apply on change; the Apply button stays for everyone else.
  $$('form[data-auto]').forEach(function (f) { on(f, 'change', function () { f.requestSubmit(); }); });

  // Staff keyboard: off while typing. The chosen row lives in the address, so Back finds it. A key never records anything.
  if (b.dataset.keys !== 'on') return;
  var rows = $$('tr.r'), at = -1, g = 0;
  function pick(i, quiet) {
    if (rows[at]) rows[at].classList.remove('sel');
    at = Math.max(0, Math.min(rows.length - 1, i));
    var r = rows[at]; r.classList.add('sel');
    if (r.id) history.replaceState(history.state, '', '#' + r.id);
    if (quiet) return;
    var a = $('a', r); if (a) a.focus({ preventScroll: true });
    r.scrollIntoView({ block: 'nearest' });
  }
  function press(el) { if (!el) return; el.focus(); if (el.tagName === 'A' || el.type === 'button') el.click(); }
  rows.forEach(function (r, i) {
    if (r.id && '#' + r.id === w.location.hash) pick(i);
    on(r, 'click', function (e) { if (e.target.closest('a')) pick(i, true); });
  });
  on(d, 'keydown', function (e) {
    if (e.ctrlKey || e.metaKey || e.altKey || $('dialog[open]') || /^(INPUT|TEXTAREA|SELECT)$/.test(e.target.tagName) || e.target.isContentEditable) return;
    var k = e.key, s, row = rows[at];
    if (Date.now() - g < 1500) { g = 0; s = $('[data-go="' + CSS.escape(k) + '"]'); if (s) { e.preventDefault(); s.click(); } }
    else if (k === 'g') g = Date.now();
    else if (k === '/') { s = $('.s-search input'); if (!s || !s.offsetParent) s = $('.s-find'); if (s) { e.preventDefault(); press(s); } }
    else if (k === '?') { s = $('#keys'); if (s) s.showModal(); }
    else if ((k === 'j' || k === 'k') && rows.length) { e.preventDefault(); pick(at + (k === 'j' ? 1 : -1)); }
    else if (k === 'a' && row) press($('.go .btn', row));
    else if (/^[a-z]$/.test(k)) press($('[data-key="' + k + '"]'));
  });
}());
