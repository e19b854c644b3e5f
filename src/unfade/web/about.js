// The page may be shown by another computer of the network: then the photos go there.
const here = ['localhost', '127.0.0.1', '[::1]'].includes(location.hostname);
element.querySelector('.uf-where').textContent = here ? 'Your photos stay on this computer.'
  : `Your photos go to ${location.hostname}, the computer that runs this page.`;
