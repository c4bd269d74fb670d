/* Opens one session's page while the network is gone, from the copy that the page itself keeps. Answers for no other. */
'use strict';
var HERE = new URL(self.registration.scope).pathname, NAME = 'session:' + HERE;

function kept(request) {
  return caches.match(request, { cacheName: NAME, ignoreVary: true });
}

self.addEventListener('install', function () { self.skipWaiting(); });
self.addEventListener('activate', function (e) { e.waitUntil(self.clients.claim()); });
self.addEventListener('fetch', function (e) {
  var request = e.request, url = new URL(request.url);
  if (request.method !== 'GET' || url.origin !== self.location.origin) return;
  if (request.mode === 'navigate' ? url.pathname !== HERE : url.pathname.indexOf('/static/') !== 0) return;
  e.respondWith(fetch(request).catch(function (away) {
    return kept(request.mode === 'navigate' ? HERE : request.url).then(function (hit) { if (hit) return hit; throw away; });
  }));
});
