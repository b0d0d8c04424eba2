// Asks nobody else: no validator, no fonts, no other host.
globalThis.SwaggerUIBundle({
  url: "/openapi.json",
  dom_id: "#docs",
  validatorUrl: null,
  tryItOutEnabled: true,
  displayRequestDuration: true,
});
