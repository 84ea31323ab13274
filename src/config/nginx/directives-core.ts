/**
 * Directives of nginx itself that are translated. Columns: name, contexts (m main, e events, h http, s
 * server, l location, i `if` in a location, c `if` in a server, x limit_except), arguments, marks (`{` opens
 * a block, `*` may be repeated). directives.ts reads them.
 */
export const CORE_ROWS = `
  events                    m       0     {
  http                      m       0     {
  server                    h       0     {*
  location                  sl      1-2   {*
  if                        sl      1+    {*
  types                     hsl     0     {*
  map                       h       2     {*
  limit_except              l       1+    {*
  worker_processes          m       1
  worker_shutdown_timeout   m       1
  pid                       m       1
  error_log                 mhsl    1-2   *
  log_format                h       2+    *
  access_log                hslix   1+    *
  listen                    s       1+    *
  server_name               s       1+    *
  ssl                       hs      flag
  ssl_certificate           hs      1     *
  ssl_certificate_key       hs      1     *
  ssl_protocols             hs      1+
  ssl_ciphers               hs      1
  ssl_prefer_server_ciphers hs      flag
  user                      m       1-2
  charset_types             hsl     1+    *
  http2                     hs      flag
  root                      hsli    1
  alias                     l       1
  index                     hsl     1+    *
  default_type              hsl     1
  charset                   hsli    1
  client_max_body_size      hsl     1
  worker_connections        e       1
  keepalive_timeout         hsl     1-2
  keepalive_requests        hsl     1
  client_header_timeout     hs      1
  client_body_timeout       hsl     1
  send_timeout              hsl     1
  reset_timedout_connection hsl     flag
  client_header_buffer_size hs      1
  large_client_header_buffers hs    2
  gzip                      hsli    flag
  gzip_types                hsl     1+    *
  gzip_min_length           hsl     1
  gzip_comp_level           hsl     1
  add_header                hsli    2-3   *
  expires                   hsli    1-2
  try_files                 sl      2+
  error_page                hsli    2+    *
  recursive_error_pages     hsl     flag
  underscores_in_headers    hs      flag
  ignore_invalid_headers    hs      flag
  internal                  l       0
  satisfy                   hsl     1
  auth_request              hsl     1
  proxy_pass                li      1
  upstream                  h       1     {*
  proxy_set_header          hsl     2     *
  proxy_hide_header         hsl     1     *
  proxy_pass_header         hsl     1     *
  proxy_pass_request_headers hsl    flag
  proxy_pass_request_body   hsl     flag
  proxy_http_version        hsl     1
  proxy_redirect            hsl     1-2   *
  proxy_connect_timeout     hsl     1
  proxy_send_timeout        hsl     1
  proxy_read_timeout        hsl     1
  proxy_intercept_errors    hsl     flag
  proxy_ignore_client_abort hsl     flag
  proxy_next_upstream       hsl     1+
  proxy_next_upstream_tries hsl     1
  proxy_next_upstream_timeout hsl   1
  proxy_ssl_server_name     hsl     flag
  proxy_ssl_name            hsl     1
  proxy_ssl_verify          hsl     flag
  proxy_ssl_trusted_certificate hsl 1
  limit_req                 hsl     1+    *
  limit_req_zone            h       2-4   *
  limit_req_status          hsl     1
  limit_req_dry_run         hsl     flag
  stub_status               sl      0-1
  autoindex                 hsl     flag
  autoindex_exact_size      hsl     flag
  autoindex_format          hsl     1
  autoindex_localtime       hsl     flag
  etag                      hsl     flag
  max_ranges                hsl     1
  if_modified_since         hsl     1
  absolute_redirect         hsl     flag
  port_in_redirect          hsl     flag
  gzip_vary                 hsl     flag
  limit_conn_zone           h       2     *
  limit_conn                hsl     2     *
  limit_conn_status         hsl     1
  limit_conn_dry_run        hsl     flag
  allow                     hslx    1     *
  deny                      hslx    1     *
  auth_basic                hslx    1
  auth_basic_user_file      hslx    1
  set_real_ip_from          hsl     1     *
  real_ip_header            hsl     1
  real_ip_recursive         hsl     flag
  set                       slic    2     *
  rewrite                   slic    2-3   *
  return                    slic    1-2   *
  break                     slic    0     *
  push_stream_channels_statistics   l 0   *
  push_stream_publisher             l 0-1 *
  push_stream_subscriber            l 0-1 *
  sluice_listener           hs      1
  sluice_foreign            mh      1
  sluice_pushstream_client          l 0   *
  sluice_client                     l 0   *
  sluice_handler                    l 1
  sluice_shared_dict                h   2-3   *
  sluice_event_ids                  hsl 1
  sluice_role                       i 1
  sluice_handler_timeout            hsl 1
  sluice_answer_linger              hsl 1
  sluice_answer_max_size            hsl 1
  sluice_body                       hsl 1
  sluice_authorize                  hsl 1
  sluice_hooks                      hsl 1
  sluice_websocket_publish_channel  hsl 1
  push_stream_shared_memory_size    h 1-2
`;
