// What the runtime does when a loop of `fetch` is all that there is.
//
// Without `fills` it is the limit: one request is prepared once, with the header fields that a batch sends. With it, it
// is what anybody would write who sends differing requests: their texts are put together, and so are their URL and
// header fields, and nothing else is done with the answer either.
export default {
  async fetch(request) {
    const asked = new URL(request.url).searchParams;
    const [url, until, loops] = [asked.get("url"), Number(asked.get("until")), Number(asked.get("loops"))];
    const headers = JSON.parse(request.headers.get("x-fields"));
    const prepared = new Request(url, { headers });
    const origin = new URL(url).origin;
    let sent = 0;
    const loop = async () => {
      while (Date.now() < until) {
        sent += 1;
        const response = await fetch(prepared);
        await response.arrayBuffer();
      }
    };
    const filling = async (_, vu) => {
      const user = `user-${String(vu).padStart(6, "0")}`;
      for (let turn = 0; Date.now() < until; turn += 1) {
        sent += 1;
        const filled = `${origin}/json/${vu}?_user=${user}&_turn=${turn}`;
        const response = await fetch(filled, { headers: { ...headers, "x-user": user } });
        await response.arrayBuffer();
      }
    };
    await Promise.all(Array.from({ length: loops }, asked.has("fills") ? filling : loop));
    return new Response(String(sent));
  },
};
