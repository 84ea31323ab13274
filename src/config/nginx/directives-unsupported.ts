/**
 * Directives that would change what clients get and that sluice does not do: each is a fault with its file
 * and line. Contexts and arguments are not looked at, so the columns that matter are the name and the `{` of
 * a block. directives.ts reads them.
 *
 * Some are harmless with certain arguments ("off"); those are in HARMLESS_WHEN.
 */
export const UNSUPPORTED_ROWS = `
  fastcgi_pass              li      1
  uwsgi_pass                li      1
  scgi_pass                 li      1
  grpc_pass                 li      1
  memcached_pass            li      1
  geo                       h       1-2   {*
  split_clients             h       2     {*
  stream                    m       0     {
  mail                      m       0     {
  post_action               hsl     1
  auth_request_set          hsl     2     *
  auth_jwt                  hsl     1+
  limit_rate                hsli    1
  proxy_cache               hsl     1
  proxy_store               hsl     1
  proxy_bind                hsl     1-2
  proxy_method              hsl     1
  proxy_set_body            hsl     1
  proxy_limit_rate          hsl     1
  proxy_force_ranges        hsl     flag
  proxy_ignore_headers      hsl     1+
  proxy_cookie_domain       hsl     1-2   *
  proxy_cookie_path         hsl     1-2   *
  proxy_cookie_flags        hsl     1-2   *
  proxy_ssl_certificate     hsl     1
  proxy_ssl_certificate_key hsl     1
  proxy_ssl_password_file   hsl     1
  proxy_ssl_crl             hsl     1
  proxy_ssl_conf_command    hsl     2     *
  mirror                    hsl     1     *
  nchan_publisher_upstream_request hsl 1
  sub_filter                hsl     2     *
  add_before_body           hsl     1
  add_after_body            hsl     1
  add_trailer               hsli    2-3   *
  random_index              l       flag
  empty_gif                 l       0
  ssi                       hsli    flag
  slice                     hsl     1
  dav_methods               hsl     1+
  flv                       l       0
  mp4                       l       0
  hls                       l       0
  image_filter              l       1+    *
  xslt_stylesheet           l       1+    *
  secure_link               hsl     1
  secure_link_secret        l       1
  valid_referers            sl      1+
  geoip_country             h       1-2
  geoip_city                h       1-2
  geoip2                    h       1+    {*
  userid                    hsl     1
  chunked_transfer_encoding hsl     flag
  merge_slashes             hs      flag
  server_name_in_redirect   hsl     flag
  ssl_conf_command          hs      2     *
  gzip_static               hsl     1
  disable_symlinks          hsl     1-2
  ssl_verify_client         hs      1
  ssl_password_file         hs      1
  ssl_reject_handshake      hs      flag
  more_set_headers          hsli    1+    *
  more_clear_headers        hsli    1+    *
  brotli                    hsli    flag
`;

/** Directives that change nothing with these arguments. */
export const HARMLESS_WHEN: ReadonlyMap<string, (args: readonly string[]) => boolean> = new Map([
  ...["random_index", "ssi", "auth_jwt", "mirror", "userid"].map(
    (name) => [name, ([word]: readonly string[]) => word?.toLowerCase() === "off"] as const,
  ),
  ...["ssl_verify_client", "disable_symlinks", "post_action", "brotli", "ssl_reject_handshake"].map(
    (name) => [name, ([word]: readonly string[]) => word?.toLowerCase() === "off"] as const,
  ),
  ["limit_rate", ([rate]) => rate === "0"],
  ["proxy_limit_rate", ([rate]) => rate === "0"],
  ...["proxy_cache", "proxy_store", "proxy_bind", "proxy_force_ranges", "proxy_cookie_domain"].map(
    (name) => [name, ([word]: readonly string[]) => word?.toLowerCase() === "off"] as const,
  ),
  ...["proxy_cookie_path", "proxy_cookie_flags"].map(
    (name) => [name, ([word]: readonly string[]) => word?.toLowerCase() === "off"] as const,
  ),
  // These say what is cached, or how it is buffered, and nothing is. X-Accel-Redirect is a fault of its own
  // when it comes.
  ["proxy_ignore_headers", (names) => !names.some((name) => name.toLowerCase() === "x-accel-redirect")],
  ["server_name_in_redirect", ([word]) => word?.toLowerCase() === "off"],
  // Options of OpenSSL's inner workings; what it may be said of protocols and ciphers is a fault.
  ["ssl_conf_command", ([name]) => name === "Options"],
  // The same content, compressed already; "always" sends it to those who did not ask.
  ["gzip_static", ([word]) => word !== "always"],
  ["slice", ([size]) => size === "0"],
  ["chunked_transfer_encoding", ([word]) => word?.toLowerCase() === "on"],
  ["merge_slashes", ([word]) => word?.toLowerCase() === "on"],
]);
