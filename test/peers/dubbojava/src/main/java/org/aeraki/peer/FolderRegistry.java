package org.aeraki.peer;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.Executors;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.TimeUnit;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.apache.dubbo.common.URL;
import org.apache.dubbo.common.utils.UrlUtils;
import org.apache.dubbo.registry.NotifyListener;
import org.apache.dubbo.registry.support.FailbackRegistry;

/** A folder with one file per provider, which holds the provider's URL. */
public class FolderRegistry extends FailbackRegistry {
    /** The registry URL's parameter that names the folder. */
    static final String FOLDER = "folder";

    /** System property: HOST:PORT under which a provider registers instead of its own address. */
    static final String REGISTER = "peer.register";

    private static final long POLL_MILLIS = 200;
    private static final String SUFFIX = ".provider";

    private final Path folder;
    private final Map<NotifyListener, List<URL>> notified = new ConcurrentHashMap<>();
    private final ScheduledExecutorService poll = Executors.newSingleThreadScheduledExecutor(r -> {
        Thread t = new Thread(r, "folder-registry");
        t.setDaemon(true);
        return t;
    });

    public FolderRegistry(URL url) {
        super(url);
        folder = Path.of(url.getParameter(FOLDER));
    }

    @Override
    public boolean isAvailable() {
        return true;
    }

    @Override
    public void doRegister(URL url) {
        if (!url.getProtocol().equals("dubbo")) {
            return;
        }
        URL shown = url;
        String register = System.getProperty(REGISTER, "");
        if (!register.isEmpty()) {
            String[] hostPort = Dubbo.hostPort(register);
            shown = url.setHost(Dubbo.numeric(hostPort[0])).setPort(Integer.parseInt(hostPort[1]));
        }
        try {
            Files.createDirectories(folder);
            Path part = folder.resolve(file(url) + ".part");
            Files.writeString(part, shown.toFullString() + "\n");
            Files.move(part, folder.resolve(file(url)), StandardCopyOption.ATOMIC_MOVE);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    @Override
    public void doUnregister(URL url) {
        try {
            Files.deleteIfExists(folder.resolve(file(url)));
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private static String file(URL url) {
        return url.getServiceInterface() + "-" + url.getPort() + SUFFIX;
    }

    @Override
    public void doSubscribe(URL url, NotifyListener listener) {
        if (!url.getProtocol().equals("consumer")) {
            return;
        }
        refresh(url, listener);
        poll.scheduleWithFixedDelay(() -> refresh(url, listener), POLL_MILLIS, POLL_MILLIS, TimeUnit.MILLISECONDS);
    }

    private void refresh(URL consumer, NotifyListener listener) {
        List<URL> now = providers(consumer);
        if (now.equals(notified.put(listener, now))) {
            return;
        }
        List<URL> told = now;
        if (now.isEmpty()) {
            told = Collections.singletonList(consumer.setProtocol("empty").addParameter("category", "providers"));
        }
        notify(consumer, listener, told);
    }

    private List<URL> providers(URL consumer) {
        if (!Files.isDirectory(folder)) {
            return Collections.emptyList();
        }
        try (Stream<Path> files = Files.list(folder)) {
            List<URL> found = new ArrayList<>();
            for (Path p : files.filter(f -> f.toString().endsWith(SUFFIX)).sorted().collect(Collectors.toList())) {
                URL provider = URL.valueOf(Files.readString(p).trim());
                if (UrlUtils.isMatch(consumer, provider)) {
                    found.add(provider);
                }
            }
            return found;
        } catch (IOException e) {
            // A provider left while the folder was read; the next look sees it.
            return Collections.emptyList();
        }
    }

    @Override
    public void doUnsubscribe(URL url, NotifyListener listener) {
        notified.remove(listener);
    }

    @Override
    public void destroy() {
        poll.shutdownNow();
        super.destroy();
    }
}
