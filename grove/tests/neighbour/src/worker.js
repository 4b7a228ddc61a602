// Hands a request on to an object of Grove: /objects/BINDING/NAME/PATH.
export default {
  async fetch(request, env) {
    const url = new URL(request.url);
    const [, kind, binding, name, ...path] = url.pathname.split("/");
    if (kind !== "objects") return new Response("ok");
    const object = env[binding].getByName(decodeURIComponent(name));
    const init = { method: request.method };
    if (request.method !== "GET") init.body = await request.text();
    return object.fetch("https://object/" + path.join("/"), init);
  },
};
