// The limit: what the runtime does when a loop of `fetch` is all that there is. It sends what a batch sends, prepared
// once.
export default {
  async fetch(request) {
    const asked = new URL(request.url).searchParams;
    const [url, until, loops] = [asked.get("url"), Number(asked.get("until")), Number(asked.get("loops"))];
    const headers = JSON.parse(request.headers.get("x-fields"));
    const prepared = new Request(url, { headers });
    let sent = 0;
    const loop = async () => {
      while (Date.now() < until) {
        sent += 1;
        const response = await fetch(prepared);
        await response.arrayBuffer();
      }
    };
    await Promise.all(Array.from({ length: loops }, loop));
    return new Response(String(sent));
  },
};
