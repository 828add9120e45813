// The way in where visitors are invited: trades the invite of a link, or one that is typed, for this conversation's right to connect. Hosts of profile local never ask.

const ANSWER_WITHIN_MS = 10_000;
const INVITE = /ghi_[0-9a-f]{16}_[A-Za-z0-9_-]{43}/;

export class Access {
  #conversation;
  #onGranted;
  #form = /** @type {HTMLFormElement} */ (document.getElementById('invite'));
  #input = /** @type {HTMLInputElement} */ (document.getElementById('invite-text'));
  #problem = /** @type {HTMLElement} */ (document.getElementById('invite-problem'));
  #button = /** @type {HTMLButtonElement} */ (document.getElementById('invite-send'));

  /** @param {string} conversation @param {() => void} onGranted */
  constructor(conversation, onGranted) {
    this.#conversation = conversation;
    this.#onGranted = onGranted;
    this.#form.addEventListener('submit', (event) => {
      event.preventDefault();
      void this.#offer(this.#input.value);
    });
  }

  /** Uses the invite behind the # of the address, where there is one, and takes it out of the address, the history and every bookmark made of it. True when it was granted. */
  async useLink() {
    const invite = INVITE.exec(location.hash)?.[0];
    if (invite === undefined) return false;
    history.replaceState(null, '', location.pathname + location.search);
    const { access, problem } = await this.#ask(invite);
    if (access === 'granted') this.#hide();
    else if (problem !== undefined) this.#show(problem);
    return access === 'granted';
  }

  /** Asked when a connection was refused, which says nothing about why. True when it takes an invite. */
  async isNeeded() {
    const { access } = await this.#ask();
    if (access === 'invite') this.#show(this.#problem.textContent ?? '');
    if (access === 'granted') this.#hide();
    return access === 'invite';
  }

  async #offer(/** @type {string} */ typed) {
    // A whole link is as good as what stands in it.
    const invite = INVITE.exec(typed)?.[0];
    if (invite === undefined) {
      this.#show('This is no invite: it begins with ghi_ and has 64 characters, or is a link that ends so.');
      return;
    }
    this.#button.disabled = true;
    const answer = await this.#ask(invite);
    this.#button.disabled = false;
    if (answer.access !== 'granted') {
      this.#show(answer.problem ?? 'The host could not be reached. Try again.');
      return;
    }
    this.#input.value = '';
    this.#hide();
    this.#onGranted();
  }

  /** What the host says; neither member when it could not be reached, or is an older one. @param {string} [invite] @returns {Promise<{ access?: string, problem?: string }>} */
  async #ask(invite) {
    try {
      const response = await fetch(new URL('-/access', document.baseURI), {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ conversation: this.#conversation, invite }),
        signal: AbortSignal.timeout(ANSWER_WITHIN_MS),
      });
      const { access, detail } = await response.json();
      if (response.ok) return { access };
      return response.status === 404 ? {} : { problem: String(detail) };
    } catch {
      return {};
    }
  }

  #show(problem = '') {
    const wasHidden = this.#form.hidden;
    document.body.classList.add('uninvited');
    this.#form.hidden = false;
    this.#problem.textContent = problem;
    this.#problem.hidden = problem === '';
    if (problem !== '') this.#input.setAttribute('aria-invalid', 'true');
    else this.#input.removeAttribute('aria-invalid');
    if (wasHidden || problem !== '') this.#input.focus();
  }

  #hide() {
    document.body.classList.remove('uninvited');
    this.#form.hidden = true;
  }
}
