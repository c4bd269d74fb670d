/* Keeps a copy of the safety plan on this phone when somebody asks for it, and takes it off again. */
(() => {
  'use strict';
  const box = document.querySelector('[data-keep]'), workers = navigator.serviceWorker, name = 'safety-plan';
  if (!box || !workers || !self.caches) return;
  const url = box.dataset.keep, said = box.querySelector('[role=status]'), find = which => box.querySelectorAll(which);
  const draw = (kept, words) => {
    find('[data-on]').forEach(e => { e.hidden = kept; });
    find('[data-off]').forEach(e => { e.hidden = !kept; });
    box.hidden = false;
    if (words) said.textContent = said.dataset[words];
  };
  const copy = async () => {
    const answer = await fetch(url, { redirect: 'error' });
    if (!answer.ok) throw answer;
    const kept = await caches.open(name), seen = performance.getEntriesByType('resource').map(e => e.name);
    await kept.addAll(new Set(seen.filter(e => e.includes('/static/'))));
    await kept.put(url, answer);
  };
  const forget = async words => {
    await caches.delete(name);
    const worker = await workers.getRegistration(url);
    if (worker) await worker.unregister();
    draw(false, words);
  };
  find('[data-on] button')[0].onclick = () => workers.register(box.dataset.worker).then(copy).then(() => draw(true, 'kept')).catch(() => forget('bad'));
  find('[data-off] button')[0].onclick = () => forget('gone');
  const mine = async () => {
    const kept = await caches.match(url, { cacheName: name, ignoreVary: true });
    return !!kept && (await kept.text()).includes(box.dataset.whose);  // a copy that somebody else kept stays theirs
  };
  mine().then(kept => {
    draw(kept);
    if (kept) copy().catch(() => {});
  });
})();
