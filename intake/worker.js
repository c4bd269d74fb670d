/* Shows the safety plan that somebody chose to keep on this phone, when there is no connection. Keeps nothing itself,
   answers for no other page. */
'use strict';
var NAME = 'safety-plan', HOME = new URL(self.registration.scope).pathname, KEPT = HOME + 'kept/';

function kept(request) {
  return caches.match(request, { cacheName: NAME, ignoreVary: true });
}

self.addEventListener('install', function () { self.skipWaiting(); });
self.addEventListener('activate', function (e) { e.waitUntil(self.clients.claim()); });
self.addEventListener('fetch', function (e) {
  var request = e.request, path = new URL(request.url).pathname;
  if (request.method !== 'GET' || new URL(request.url).origin !== self.location.origin) return;
  if (request.mode !== 'navigate') {
    if (path.indexOf('/static/') === 0) e.respondWith(kept(request.url).then(function (hit) { return hit || fetch(request); }));
  } else if (path === KEPT) {
    e.respondWith(kept(KEPT).then(function (hit) { return hit || fetch(request); }));
  } else if (path === HOME) {
    e.respondWith(fetch(request).catch(function (away) {
      return kept(KEPT).then(function (hit) { if (hit) return hit; throw away; });
    }));
  }
});
