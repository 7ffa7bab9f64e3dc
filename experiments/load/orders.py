"""Users of the order service: they look at orders, and now and then place one.

Runs as it is under plain Locust too: `ORDERS_URL=http://127.0.0.1:8080 locust -f experiments/load/orders.py`.
Twenty users make some 150 requests a second.
"""

import os
import random

from locust import FastHttpUser, between, task


class OrderUser(FastHttpUser):
    """Reads twice as often as it writes."""

    host = os.environ.get("ORDERS_URL", "http://127.0.0.1:8080")
    wait_time = between(0.05, 0.2)
    connection_timeout = 2.0
    network_timeout = 2.0

    def on_start(self):
        self.mine = []

    @task(4)
    def latest(self):
        self.client.get("/orders/latest")

    @task(2)
    def one_of_mine(self):
        if self.mine:
            self.client.get(f"/orders/{random.choice(self.mine)}", name="/orders/{id}")
        else:
            self.create()

    @task(3)
    def create(self):
        order = {"customer": f"customer-{random.randrange(1000)}", "item": "lamp", "quantity": 1, "price": "9.50"}
        with self.client.post("/orders", json=order, catch_response=True) as response:
            if response.status_code != 201:
                response.failure(f"no order: {response.status_code}")
                return
            self.mine = [*self.mine[-49:], response.json()["id"]]
