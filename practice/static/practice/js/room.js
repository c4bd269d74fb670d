/* A session in the room: each tap is kept on this device first, then sent; nothing is lost or doubled without a network.
   Without this script every tap is a plain form. What is kept here is taken away once the session is signed. */
(() => {
  'use strict';
  const d = document, all = (which, from) => [...(from || d).querySelectorAll(which)], one = which => d.querySelector(which);
  let room = one('#room');
  const net = one('#net');
  if (!room || !room.dataset.page || !net) return;
  const page = room.dataset.page, name = 'session:' + page, who = room.dataset.who, minute = 60000;
  let sending = false, state = '', skew = 0, last = ['', 0], memory = {};

  // --- What this device keeps
  const read = (what, otherwise) => {
    try { return JSON.parse(localStorage.getItem(name + what)) || otherwise; } catch (e) { return memory[what] || otherwise; }
  };
  const write = (what, value) => {
    memory[what] = value;
    try { localStorage.setItem(name + what, JSON.stringify(value)); } catch (e) { /* kept in memory alone */ }
  };
  const queue = () => read(':queue', []), refused = () => read(':refused', []), mine = () => queue().filter(l => l.who === who);
  // Tells the server that signing out, or the lock, must not empty this device yet.
  const flag = () => {
    d.cookie = 'unsent=' + (queue().length ? '1; max-age=43200' : '; max-age=0') + '; path=/; samesite=strict' + (location.protocol === 'https:' ? '; secure' : '');
  };
  const newKey = () => {
    if (crypto.randomUUID) return crypto.randomUUID();
    const b = crypto.getRandomValues(new Uint8Array(16)), h = [...b].map(x => x.toString(16).padStart(2, '0')).join('');
    return [h.slice(0, 8), h.slice(8, 12), h.slice(12, 16), h.slice(16, 20), h.slice(20)].join('-');
  };
  const clock = at => new Date(at).toLocaleTimeString(d.documentElement.lang, { hour: 'numeric', minute: '2-digit' });

  // --- What it says
  const li = (words, extra) => {
    const row = d.createElement('li');
    row.textContent = words;
    if (extra) row.append(extra);
    return row;
  };
  const draw = () => {
    const waits = queue(), no = refused(), others = waits.length - mine().length, say = net.querySelector('[role=status]');
    const words = !waits.length ? '' : state === 'locked' ? net.dataset.locked : others === waits.length ? net.dataset.others : net.dataset.waits;
    if (say.textContent !== words) say.textContent = words;
    net.querySelector('[data-login]').hidden = !(waits.length && state === 'locked');
    net.querySelector('details').hidden = !waits.length;
    net.querySelector('[data-waiting]').replaceChildren(...waits.map(l => li(clock(l.device_at) + ' ' + l.shown)));
    net.querySelector('[data-refused]').replaceChildren(...no.map(l => {
      const done = d.createElement('button');
      done.type = 'button';
      done.className = 'btn btn-2 btn-s';
      done.textContent = net.dataset.seen;
      done.onclick = () => { write(':refused', refused().filter(each => each.key !== l.key)); draw(); };
      return li(l.sentence + ' (' + clock(l.device_at) + ' ' + l.shown + ') ', done);
    }));
    net.querySelector('[data-alert]').hidden = !no.length;
    net.hidden = !waits.length && !no.length;
    flag();
  };

  // --- A tap
  const legend = form => { const e = form.querySelector('legend span'); return e ? e.textContent : net.dataset['k' + form.elements.kind.value]; };
  const shownOf = (form, button) => {
    const parts = all('input:not([type=hidden]):not([type=checkbox]),select', form).map(f => f.selectedOptions ? (f.value ? f.selectedOptions[0].text : '') : f.value);
    return [legend(form) + ':', ...parts.filter(Boolean), button && button.name ? button.textContent : ''].join(' ').trim();
  };
  const until = (box, what, at) => { const e = one(box); if (e) { e.dataset[what] = new Date(at).toISOString(); delete e.dataset.held; } };
  const mark = (form, button, facts, kind) => {
    const now = Date.now() - skew, asks = form.closest('.ask');
    if (asks) {
      all('.tap', form).forEach(b => b.setAttribute('aria-pressed', String(b === button)));
      all('[data-says]', form).forEach(e => { e.className = 'chip'; e.textContent = net.dataset.here; });
    }
    if (asks || kind === 'present') all('input', form).forEach(f => { f.defaultValue = f.value; });
    else form.reset();
    if (kind === 'hold' && facts.what === 'start') until('[data-hold]', 'ends', now + 15 * minute);
    if (kind === 'hold' && facts.what === 'end') { const e = one('[data-hold]'); if (e) e.dataset.held = ''; }
    if (kind === 'check' || kind === 'dose') until('[data-check]', 'due', now + 15 * minute);
  };
  const onSubmit = e => {
    const form = e.target, button = e.submitter;
    if (form.matches('[data-needs-net]')) {
      if (navigator.onLine && !queue().length) return;
      e.preventDefault();
      e.stopImmediatePropagation();
      one('#needs-net').hidden = false;
      one('#needs-net').focus();
      return send();
    }
    if (!form.matches('[data-line]')) return;
    e.preventDefault();
    e.stopImmediatePropagation();
    const facts = Object.fromEntries(new FormData(form, button && button.name ? button : undefined)), kind = facts.kind;
    ['csrfmiddlewaretoken', 'form_key', 'key', 'kind', 'back'].forEach(n => delete facts[n]);
    const same = kind + JSON.stringify(facts);
    if (same === last[0] && Date.now() - last[1] < 700) return;  // a finger that trembled
    last = [same, Date.now()];
    const line = { key: newKey(), kind, facts, device_at: new Date().toISOString(), who, shown: shownOf(form, button) };
    write(':queue', [...queue(), line]);
    mark(form, button, facts, kind);
    draw();
    tick();
    send();
  };
  d.addEventListener('submit', onSubmit, true);

  // --- Sending
  const put = (back) => {  // what was refused stands in its form again, to be corrected
    const form = all('form[data-line]').find(f => f.elements.kind.value === back.kind && !f.closest('.ask'));
    if (form) Object.entries(back.facts).forEach(([n, v]) => { const f = form.elements[n]; if (f && f.type !== 'checkbox' && f.type !== 'hidden' && 'value' in f && !f.value) f.value = v; });
  };
  const send = async () => {
    const batch = mine().slice(0, 100);
    if (sending || !batch.length || !navigator.onLine) return;
    sending = true;
    const body = new URLSearchParams({
      csrfmiddlewaretoken: one('[name=csrfmiddlewaretoken]').value, sent_at: new Date().toISOString(),
      lines: JSON.stringify(batch.map(({ key, kind, facts, device_at }) => ({ key, kind, facts, device_at }))),
    });
    let answer = null;
    try { answer = await fetch(room.dataset.entries, { method: 'POST', body, redirect: 'manual', credentials: 'same-origin' }); } catch (e) { /* no network */ }
    sending = false;
    if (answer && answer.ok) {
      const taken = new Map((await answer.json()).taken.map(t => [t.key, t.sentence]));
      const no = batch.filter(l => taken.get(l.key)).map(l => ({ ...l, sentence: taken.get(l.key) }));
      write(':queue', queue().filter(l => !taken.has(l.key)));
      state = '';
      if (no.length) { write(':refused', [...refused(), ...no]); }
      draw();
      if (mine().length) return send();
      await refresh();
      no.forEach(put);
    } else if (answer && (answer.type === 'opaqueredirect' || [401, 403, 404].includes(answer.status))) {
      const was = one('[name=csrfmiddlewaretoken]').value;
      if (answer.status === 403 && await refresh() && one('[name=csrfmiddlewaretoken]').value !== was) return send();
      state = 'locked';
    } else state = 'away';
    draw();
  };

  // --- The page as the server sees it; what is being typed stays
  const refresh = async () => {
    let answer = null;
    try { answer = await fetch(page, { redirect: 'manual', credentials: 'same-origin' }); } catch (e) { return false; }
    if (!answer.ok) return false;
    const copy = answer.clone(), fresh = new DOMParser().parseFromString(await answer.text(), 'text/html').getElementById('room');
    if (!fresh) return false;
    skew = Date.now() - Date.parse(fresh.dataset.now);
    write(':skew', skew);
    if (fresh.dataset.open) await keep(copy);
    const dirty = all('input:not([type=hidden]),textarea,select', room).filter(f => f.id && (f.type === 'checkbox' ? f.checked !== f.defaultChecked : f.selectedOptions ? f.value && ![...f.options].some(o => o.defaultSelected && o.selected) : f.value !== f.defaultValue)).map(f => [f.id, f.value, f.checked]);
    const open = all('details[open]', room).map(e => e.id).filter(Boolean), at = d.activeElement && d.activeElement.id;
    room.replaceWith(d.adoptNode(fresh));
    room = one('#room');
    dirty.forEach(([id, value, checked]) => { const f = d.getElementById(id); if (f) { f.value = value; f.checked = checked; } });
    open.forEach(id => { const e = d.getElementById(id); if (e) e.open = true; });
    if (at && d.getElementById(at)) d.getElementById(at).focus({ preventScroll: true });
    tick();
    return true;
  };

  // --- The copy for when the network is gone
  const keep = async answer => {
    if (!self.caches || !navigator.serviceWorker) return;
    try {
      await navigator.serviceWorker.register(room.dataset.worker);
      const kept = await caches.open(name), seen = performance.getEntriesByType('resource').map(e => e.name);
      await kept.addAll(new Set([...seen, ...all('link[rel=stylesheet],script[src]').map(e => e.href || e.src)].filter(e => e.includes('/static/'))));
      await kept.put(page, answer);
    } catch (e) { /* the page goes on as long as it stays open */ }
  };
  const forget = async () => {
    [':queue', ':refused', ':skew'].forEach(what => { memory[what] = null; try { localStorage.removeItem(name + what); } catch (e) { /* none */ } });
    flag();
    if (self.caches) await caches.delete(name);
    const worker = navigator.serviceWorker && await navigator.serviceWorker.getRegistration(page);
    if (worker && new URL(worker.scope).pathname === page) await worker.unregister();
  };

  // --- Timers
  const tick = () => {
    [['[data-hold]', 'ends'], ['[data-check]', 'due']].forEach(([box, what]) => {
      const e = one(box), left = e && e.querySelector('[data-left]');
      if (!e || !e.dataset[what] || 'held' in e.dataset) { if (e) e.classList.remove('over'); return; }
      const s = Math.ceil((Date.parse(e.dataset[what]) - (Date.now() - skew)) / 1000), over = s <= 0;
      left.textContent = over ? left.dataset.over : Math.floor(s / 60) + ':' + String(s % 60).padStart(2, '0');
      if (over && !e.classList.contains('over')) one('#due').textContent = e.querySelector('h3').textContent + ': ' + left.dataset.over;
      e.classList.toggle('over', over);
    });
  };

  // --- What the adult in the home wrote: asked without our session, so that asking is no act of a person
  const news = async () => {
    const { news: from, told } = room.dataset;
    if (!from || !navigator.onLine) return;
    try {
      const answer = await fetch(from, { credentials: 'omit' }), n = await answer.text();
      if (answer.ok && n && n !== told) one('#told').hidden = await refresh();
    } catch (e) { /* asked again soon */ }
  };

  skew = read(':skew', 0);
  draw();
  if (!room.dataset.open && !mine().length) forget();
  else if (navigator.onLine) { if (mine().length) send(); else refresh(); }
  tick();
  setInterval(tick, 1000);
  setInterval(() => { if (state !== 'locked') send(); news(); }, 15000);
  addEventListener('online', send);
  d.addEventListener('visibilitychange', () => { if (!d.hidden) send(); });
})();
