# sluice in a container: the executable on a base with the C library and nothing else (no shell, no package
# manager).
#
#   docker build -t sluice .
#   docker run -p 8080:8080 --shm-size=128m sluice
#
# The store is kept in /dev/shm, of which a container gets 64 MiB unless told otherwise: less than the default
# store and its tables need. To keep messages over restarts, and to bring a configuration:
#
#   docker run -p 8080:8080 -v sluice-store:/var/lib/sluice -v ./sluice.toml:/etc/sluice/sluice.toml:ro \
#     sluice serve --config /etc/sluice/sluice.toml          # with store.path = "/var/lib/sluice/store"
#
# Not built by the project's own tests, whose machines cannot fetch base images; test/build runs the
# executable in a root folder with as little in it.

FROM node:22-slim AS build
WORKDIR /src
COPY package.json bun.lock ./
RUN npx --yes bun@1.4.4 install --frozen-lockfile
COPY . .
# With the commit known, as .git does not come along:
#   docker build --build-arg COMMIT=$(git rev-parse --short=12 HEAD)
ARG COMMIT=unknown
RUN SLUICE_COMMIT=$COMMIT npx --yes bun@1.4.4 run build && mkdir /store

FROM gcr.io/distroless/base-debian12:nonroot
COPY --from=build /src/dist/sluice /usr/bin/sluice
COPY --from=build --chown=nonroot:nonroot /store /var/lib/sluice
EXPOSE 8080
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=30s --timeout=5s CMD ["/usr/bin/sluice", "stats", "--timeout", "4"]
ENTRYPOINT ["/usr/bin/sluice"]
CMD ["serve", "--listen", "0.0.0.0:8080"]
